/* `bastion policy ...`: the operator's commands for a policy file. */
#ifndef POLICY_COMMAND_H
#define POLICY_COMMAND_H

/** @param argv  "policy", then the words behind it. Prints to stdout and stderr.
 *  @return the exit status: 0 valid or allowed, 1 denied, 2 wrong usage, 3 the file is invalid or unreadable.
 */
int policy_command(int argc, char **argv);

struct policy;
/** Load a file, or print why it cannot be loaded. @return NULL then; OWNED, policy_free() */
struct policy *policy_command_open(const char *file_name);

#endif
