/* Commands that live in rooms of their own. */
#ifndef BASTION_OTHERS_H
#define BASTION_OTHERS_H

#include "policy/command.h"

int enroll_command(int argc, char **argv);
int init_command(int argc, char **argv);

#endif
