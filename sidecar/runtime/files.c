/* files.c - reading what an operator put beside the sidecar. */
#include "sidecar/runtime/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int file_error(const char *doing, const char *path, const char *field, struct error_detail *detail)
{
    char text[sizeof detail->text];
    char words[128];
    const char *why = strerror_r(errno, words, sizeof words);
    snprintf(text, sizeof text, "cannot %s %.120s: %s", doing, path, why);
    return error_set(detail, E_SYSTEM, field, text);
}

int file_read(const char *path, size_t size_max, struct bytes *out, struct error_detail *detail)
{
    struct stat about;
    /* A pipe would be waited for. */
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
        return error_set(detail, E_ARGUMENT, "", "not a regular file");
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return file_error("open", path, "", detail);
    int code = 0;
    uint8_t *text = malloc(size_max + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, size_max + 1, file);
    if (text == NULL)
        code = error_set(detail, E_MEMORY, "", NULL);
    else if (ferror(file))
        code = file_error("read", path, "", detail);
    else if (size > size_max)
        code = error_set(detail, E_ARGUMENT, "", "the file is larger than it may be");
    fclose(file);
    if (code != 0) {
        free(text);
        return code;
    }
    *out = bytes_of(text, size);
    return 0;
}
