/* Names in the evidence folder. Private to the room. */
#ifndef RECORD_LOG_FILES_H
#define RECORD_LOG_FILES_H

#define LOG_LEAVES_NAME "leaves"
#define LOG_CHECKPOINT_NAME "checkpoint"
#define LOG_STAGED_NAME ".checkpoint.new"

#endif
