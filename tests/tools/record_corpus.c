/* record_corpus.c - writes the inputs that fuzzing of records begins with, for `make record-corpus`. */
#include "sidecar/journal/codec.h"
#include "tests/support/sample_records.h"

#include <stdio.h>
#include <stdlib.h>

static void save(const char *folder, const char *name, const uint8_t *at, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(at, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static uint8_t frame[16384];
    size_t count;
    size_t size = 0;
    const struct record *samples = sample_records(&count);
    if (argc != 2) {
        fprintf(stderr, "usage: record_corpus FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "type_%02d_sample_%02zu", samples[i].type, i);
        size_t start = size;
        size += codec_encode(&samples[i], i, frame + size);
        save(argv[1], name, frame + start, size - start);
    }
    save(argv[1], "frame", frame, size);
    return 0;
}
