/* Stands in for the room enroll where it is not built. */
#include "command.h"
#include "others.h"

int enroll_command(int argc, char **argv)
{
    (void)argc;
    return complain(COMMAND_TROUBLE, argv[0], "this build has no enrolment");
}

int init_command(int argc, char **argv)
{
    (void)argc;
    return complain(COMMAND_TROUBLE, argv[0], "this build has no set-up");
}
