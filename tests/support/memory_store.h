/* memory_store.h - the store interface on a disk made of memory, for tests that need a store and no files.
 *
 * The disk outlives the store that is opened on it, as a real one outlives a process: closing the store is all that a crash is, because a
 * commit either lands wholly or not at all. A disk can be told to be far away: then it answers later, or does not know. Nothing here depends on time, addresses or chance. Holds the same rules as the store in
 * SQLite, and tests/unit/test_store_twins.c runs both side by side. */
#ifndef TESTS_SUPPORT_MEMORY_STORE_H
#define TESTS_SUPPORT_MEMORY_STORE_H

#include "sidecar/journal/store.h"

struct memory_disk;

struct memory_disk *memory_disk_create(void);

/* Another with what the disk holds now. */
struct memory_disk *memory_disk_copy(const struct memory_disk *disk);

/* Accepts NULL. No store may be open on it. */
void memory_disk_destroy(struct memory_disk *disk);

/* As sqlite_store_open. One store at a time; another is E_JOURNAL_LOCKED. */
int memory_store_open(struct memory_disk *disk, struct store **out, struct store_state *state,
                      struct error_detail *detail);

/* Has the Nth operation from now (1: the next one; 0: none any more) return `code`. Operations are the calls of the interface, close left
 * out. A commit that fails with E_JOURNAL has landed or not, as `landed` says, and ends writing until the store is opened anew;
 * any other failure changes nothing. */
void memory_disk_fail(struct memory_disk *disk, uint64_t nth, int code, bool landed);

/* How many bytes of records and definitions the disk takes; what would go beyond is E_JOURNAL_FULL. 0: as many as there is memory. */
void memory_disk_set_size(struct memory_disk *disk, uint64_t bytes_max);

/* The store says that its room is kept for ending what has begun, or no longer. */
void memory_disk_set_tight(struct memory_disk *disk, bool tight);

/* From now on the disk is far away: commits and look-ups are under way until memory_disk_arrive. */
void memory_disk_set_far(struct memory_disk *disk, bool far);

/* Of a far disk: the commit that has been on the way longest has arrived. `fate` is what settle tells of it: 0; STORE_AMBIGUOUS, until a
 * later memory_disk_arrive; or an error, which ends all that are on the way. Look-ups that were asked for have their answers. There is one
 * on the way (CHECK), but for fate STORE_PENDING, which is about look-ups alone. */
void memory_disk_arrive(struct memory_disk *disk, int fate);

/* Commits that are on the way. */
unsigned memory_disk_on_the_way(const struct memory_disk *disk);

/* Another takes the disk over: what the open store commits from now on is E_JOURNAL_FENCED. */
void memory_disk_fence(struct memory_disk *disk);

/* Operations so far, over all the stores that were opened on it. */
uint64_t memory_disk_operations(const struct memory_disk *disk);

#endif
