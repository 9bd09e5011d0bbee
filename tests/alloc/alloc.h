/* alloc.h - what a suite of refusals runs. */
#ifndef TESTS_ALLOC_ALLOC_H
#define TESTS_ALLOC_ALLOC_H

#include <stdbool.h>

/* Who asks for memory. A thread is the client's until it says otherwise. */
enum alloc_side { ALLOC_SIDE_CLIENT, ALLOC_SIDE_SIDECAR, ALLOC_SIDE_SQLITE };
extern _Thread_local enum alloc_side alloc_side_here;

/* Refusals are counted between alloc_arm(true) and alloc_arm(false). */
void alloc_arm(bool on);

#define ALLOC_SAGAS_MAX 32

/* A sidecar's folder, and the sagas that it has acknowledged. */
struct alloc_folder {
    char path[64];
    struct {
        char id[64];
        bool ends; /* by itself */
    } sagas[ALLOC_SAGAS_MAX];
    unsigned saga_count;
};

/* A new folder, or a copy of another. */
void alloc_folder_make(struct alloc_folder *folder, const struct alloc_folder *copied);
void alloc_folder_remove(struct alloc_folder *folder);

/* Leaves a journal with sagas that live, and checks that nothing fails when nothing is refused. */
void alloc_prepare(struct alloc_folder *folder);

/* A sidecar from its start to its end, whatever is refused to it, and the same journal afterwards. */
void alloc_whole_life(struct alloc_folder *folder);
void alloc_restart(struct alloc_folder *folder);

/* The client library. */
void alloc_client(struct alloc_folder *folder);

#endif
