/* `bastion mfa`, `bastion people` and `bastion init`: the operator's commands for second factors, for people
 * and for the bastion's own keys. */
#ifndef ENROLL_ENROLL_H
#define ENROLL_ENROLL_H

/** enroll, list and revoke one-time code secrets in the users file of pam_oath.
 *  @param argv  "mfa", then the words behind it. Prints to stdout and stderr.
 *  @return the exit status: 0 done, 1 not done, 2 wrong usage. */
int enroll_command(int argc, char **argv);
/** Who may come: add keys, disable, enable, expire, unlock and list people.
 *  @param argv  "people", then the words behind it.
 *  @return as above. */
int people_command(int argc, char **argv);
/** Make the keys that are missing and print what engineers and targets need to know; what exists is never
 * changed.
 *  @param argv  "init", then the words behind it.
 *  @return as above. */
int init_command(int argc, char **argv);

#endif
