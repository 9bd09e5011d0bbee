/* surroundings.c - each of these is a line in the log, and no reason not to start. */
#include "sidecar/runtime/surroundings.h"

#include "sidecar/observe/log.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Systems mount volumes like this; so it is no reason not to start. */
static void tell_open_directory(const char *path)
{
    struct stat st;
    char mode[8];
    if (stat(path, &st) != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return;
    snprintf(mode, sizeof mode, "%04o", (unsigned)(st.st_mode & 07777));
    log_event(LOG_LEVEL_WARN, "others may write in the data directory, and so remove the journal",
              LOG_TEXT("data_dir", path), LOG_TEXT("mode", mode));
}

/* C core has one set of sockets for the whole process: whichever loop waits looks at the sockets of all and wakes the others, which costs little
 * while each has a core, and most of the time where they take turns on one (docs/performance.md). */
static void tell_crowded_cores(unsigned loops)
{
    cpu_set_t cores;
    int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 0;
    if (count > 0 && loops > (unsigned)count)
        log_event(LOG_LEVEL_WARN,
                  "there are more loops than cores: a saga costs two to four times as much, and fewer are done",
                  LOG_NUMBER("loops", loops), LOG_NUMBER("cores", count));
}

/* A pod's emptyDir, or memory, goes with the pod or the machine, and the sagas with it. /proc/self/mountinfo has a line a mount: its number, its
 * parent's, the device, the folder that is mounted, where, and behind " - " its kind. */
static void tell_fleeting_directory(const char *path)
{
    struct stat st;
    char line[4096], device[32];
    FILE *mounts = stat(path, &st) == 0 ? fopen("/proc/self/mountinfo", "re") : NULL;
    if (mounts == NULL)
        return;
    char *whole = realpath(path, NULL);
    const char *kind = NULL;
    size_t longest = 0;
    while (whole != NULL && fgets(line, sizeof line, mounts) != NULL) {
        char root[2048], at[2048];
        if (sscanf(line, "%*s %*s %31s %2047s %2047s", device, root, at) != 3)
            continue;
        size_t length = strcmp(at, "/") == 0 ? 0 : strlen(at);
        if (strncmp(whole, at, length) != 0 || (whole[length] != '/' && whole[length] != '\0') || length < longest)
            continue;
        longest = length;
        kind = strstr(root, "kubernetes.io~empty-dir") != NULL ? "an emptyDir"
               : strstr(line, " - tmpfs ") != NULL             ? "memory (tmpfs)"
                                                               : NULL;
    }
    free(whole);
    fclose(mounts);
    if (kind != NULL)
        log_event(LOG_LEVEL_WARN,
                  "the journal will be lost with the pod or the machine: its directory is none that stays",
                  LOG_TEXT("data_dir", path), LOG_TEXT("kind", kind));
}

void surroundings_tell(const struct config *config)
{
    tell_open_directory(config->data_dir);
    if (config->store[0] == '\0')
        tell_fleeting_directory(config->data_dir);
    tell_crowded_cores(config->loops);
}
