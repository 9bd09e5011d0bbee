/* keys.c - keys from files, or from a command that has them from where they are kept. */
#include "sidecar/runtime/keys.h"

#include "sidecar/runtime/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_PATIENCE_MS 30000
#define COMMAND_WORDS_MAX   32
#define VERIFY_PIECE        10000

extern char **environ;

/* ---- a file ---- */

static int read_file(const char *path, const char *field, struct seal_keys *out, struct error_detail *detail)
{
    struct stat about;
    struct bytes text;
    if (stat(path, &about) == 0 && (about.st_mode & S_IROTH) != 0)
        return error_set(detail, E_ARGUMENT, field,
                         "everybody on the machine can read the file of keys: take that away (chmod o-r), and others "
                         "may have read it already");
    int code = file_read(path, SEAL_KEYS_BYTES_MAX, &text, detail);
    if (code != 0) {
        snprintf(detail->field, sizeof detail->field, "%s", field);
        return code;
    }
    code = seal_read_keys(text, field, out, detail);
    explicit_bzero((void *)(uintptr_t)text.at, text.size);
    free((void *)(uintptr_t)text.at);
    return code;
}

/* ---- a command ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Its words, which are cut in place, at spaces: no shell is asked. */
static bool split(char *text, char *words[COMMAND_WORDS_MAX + 1])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
        if (count == COMMAND_WORDS_MAX)
            return false;
        words[count++] = word;
    }
    words[count] = NULL;
    return count > 0;
}

static int spawn(char *const words[], int out, pid_t *child)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none); /* ours are blocked */
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawnp(child, words[0], &files, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* What it says, until it has ended; -1 when it says too much, or takes too long. */
static ssize_t hear(int from, uint8_t *text, size_t room)
{
    int64_t until = now_ms() + COMMAND_PATIENCE_MS;
    size_t size = 0;
    for (;;) {
        struct pollfd wait = {.fd = from, .events = POLLIN};
        int64_t left = until - now_ms();
        int ready = left <= 0 ? 0 : poll(&wait, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t got = ready <= 0 || size == room ? -1 : read(from, text + size, room - size);
        if (got <= 0)
            return got == 0 ? (ssize_t)size : -1;
        size += (size_t)got;
    }
}

static int run_command(char *const words[], const char *field, struct seal_keys *out, struct error_detail *detail)
{
    static uint8_t text[SEAL_KEYS_BYTES_MAX];
    int pipe_ends[2], status = 0;
    pid_t child;
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return file_error("make", "a pipe", field, detail);
    errno = spawn(words, pipe_ends[1], &child);
    if (errno != 0) {
        int code = file_error("run", words[0], field, detail);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        return code;
    }
    close(pipe_ends[1]);
    ssize_t size = hear(pipe_ends[0], text, sizeof text);
    close(pipe_ends[0]);
    if (size < 0)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    int code;
    if (size < 0)
        code = error_set(detail, E_SYSTEM, field, "it did not say the keys within 30 s and in 64 KiB");
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        code = error_set(detail, E_SYSTEM, field, "it failed; what it says is on standard error");
    else
        code = seal_read_keys(bytes_of(text, (size_t)size), field, out, detail);
    explicit_bzero(text, sizeof text);
    return code;
}

static int ask_command(const char *command, const char *field, struct seal_keys *out, struct error_detail *detail)
{
    char *words[COMMAND_WORDS_MAX + 1];
    char *copy = strdup(command);
    if (copy == NULL)
        return error_set(detail, E_MEMORY, field, NULL);
    int code = split(copy, words) ? run_command(words, field, out, detail)
                                  : error_set(detail, E_ARGUMENT, field, "names no program, or has more than 32 words");
    free(copy);
    return code;
}

/* ---- all of them ---- */

int keys_read_files(const struct config *config, struct keys *out, struct error_detail *detail)
{
    int code = 0;
    memset(out, 0, sizeof *out);
    if (config->encryption_key_file[0] != '\0')
        code = read_file(config->encryption_key_file, "encryption_key_file", &out->encryption, detail);
    if (code == 0 && config->audit_key_file[0] != '\0')
        code = read_file(config->audit_key_file, "audit_key_file", &out->chain, detail);
    if (code != 0)
        keys_forget(out);
    return code;
}

int keys_read(const struct config *config, struct keys *out, struct error_detail *detail)
{
    int code = keys_read_files(config, out, detail);
    if (code == 0 && config->encryption_key_file[0] == '\0' && config->encryption_key_command[0] != '\0')
        code = ask_command(config->encryption_key_command, "encryption_key_command", &out->encryption, detail);
    if (code != 0)
        keys_forget(out);
    return code;
}

void keys_forget(struct keys *keys)
{
    seal_forget_keys(&keys->encryption);
    seal_forget_keys(&keys->chain);
}

static bool chance(void *self, uint8_t *at, size_t size)
{
    (void)self;
    return getrandom(at, size, 0) == (ssize_t)size;
}

int keys_apply(const struct keys *keys, const struct store_state *state, struct store **store,
               struct error_detail *detail)
{
    const struct sealed_options options = {.encryption = &keys->encryption, .chain = &keys->chain, .random = chance};
    return sealed_store_open(&options, *store, state, store, detail);
}

int keys_verify(struct store *store, struct error_detail *detail)
{
    struct sealed_look look = {.known = NULL};
    bool more = true;
    int code = 0;
    sealed_look_begin(store, &look);
    while (code == 0 && more)
        code = sealed_look_on(store, &look, VERIFY_PIECE, &more, detail);
    if (code == 0 && look.finding[0] != '\0')
        code = error_set(detail, E_JOURNAL_CORRUPT, "", look.finding);
    return code;
}
