/* crash_vfs.h - a VFS for SQLite whose disk is made of memory, and which fails when it is told to.
 *
 * What is written is queued until the file is synced. A crash ends everything at once: from the disk's point of view each queued write has
 * then landed, or been lost, or landed in part (torn at sectors of 512 bytes), or left garbage where it was to land; which, follows from
 * a seed. A file that was made and never synced, or that was deleted, may be there or not. A sync that fails loses what was queued, and
 * whoever asks again is told that all is well, as Linux does.
 *
 * One of them at a time; sqlite_store_open's option `vfs` is CRASH_VFS_NAME. */
#ifndef TESTS_SUPPORT_CRASH_VFS_H
#define TESTS_SUPPORT_CRASH_VFS_H

#include <stdbool.h>
#include <stdint.h>

#define CRASH_VFS_NAME "crash"

/* What a crash does to queued writes. */
enum crash_fate {
    CRASH_LOSES_ALL,
    CRASH_KEEPS_ALL,
    CRASH_MIXES,   /* each is kept, lost or torn */
    CRASH_GARBLES, /* each is kept, lost, torn or garbage */
    CRASH_FATE_COUNT
};

enum crash_call { CRASH_READ, CRASH_WRITE, CRASH_SYNC, CRASH_CALL_COUNT };

/* Registers the VFS with an empty disk, and drops whatever an earlier disk held. */
void crash_vfs_start(void);

/* Drops the disk. No file may be open. */
void crash_vfs_finish(void);

/* Ends everything at the Nth sync from now (1: the next), before it has done anything: every call fails from then on. */
void crash_vfs_crash_at_sync(uint64_t nth);
bool crash_vfs_crashed(void);

/* Ends everything now. */
void crash_vfs_crash(void);

/* It was only the process that died: whoever opens the files next finds all that was written, and it is no more synced than it was. No file
 * may be open. */
void crash_vfs_restart(void);

/* What is on the disk after the crash, or after one that happens now; and the system is up again. No file may be open. */
void crash_vfs_reboot(enum crash_fate fate, uint64_t seed);

/* Has the Nth call of a kind from now on, and `count` in all, return `code` (a result code of SQLite's). Nth 0: none any more. A write that
 * fails has written half of its sectors. */
void crash_vfs_fail(enum crash_call call, uint64_t nth, uint64_t count, int code);

/* Calls so far. */
uint64_t crash_vfs_calls(enum crash_call call);

#endif
