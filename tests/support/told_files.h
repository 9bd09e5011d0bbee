/* told_files.h - a folder of its own for each test of sagactl, in which the test stands: files have short names, in what is typed and in what is
 * said. Removed at the end. */
#ifndef SAGA_TESTS_TOLD_FILES_H
#define SAGA_TESTS_TOLD_FILES_H

#include "tests/support/told_sidecar.h"

#include <dirent.h>
#include <fcntl.h>

static char files_folder[] = "/tmp/saga-files-XXXXXX";
static int files_before = -1; /* where the program stood */

static inline void files_setup(void)
{
    setup();
    files_before = open(".", O_RDONLY | O_DIRECTORY);
    memcpy(files_folder + sizeof files_folder - 7, "XXXXXX", 6);
    ck_assert(files_before >= 0 && mkdtemp(files_folder) != NULL && chdir(files_folder) == 0);
}

static inline void files_teardown(void)
{
    DIR *all = opendir(".");
    const struct dirent *one;
    while ((one = readdir(all)) != NULL)
        unlink(one->d_name);
    closedir(all);
    ck_assert_int_eq(fchdir(files_before), 0);
    close(files_before);
    rmdir(files_folder);
    teardown();
}

static inline void put_bytes(const char *name, const void *content, size_t size)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void put_text(const char *name, const char *content)
{
    put_bytes(name, content, strlen(content));
}

#endif
