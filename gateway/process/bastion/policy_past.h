/* The policies of the past. */
#ifndef BASTION_POLICY_PAST_H
#define BASTION_POLICY_PAST_H

/** @param argv  "history" or "at", then the words behind it. Returns an exit code. */
int policy_past_main(int argc, char **argv);

#endif
