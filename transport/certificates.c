/* certificates.c - reads, checks and keeps them. OpenSSL says what a file holds and whether key and certificate belong together. */
#include "transport/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* What is left of a certificate's life when it is told that it ends: a tenth. */
#define EXPIRING_PART 10

/* By what a file is known to have changed. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct held {
    struct certificates_pem pem;
    int64_t not_before, not_after; /* of our own certificate and its chain; 0: none */
};

struct certificates_follower {
    struct certificates *certificates;
    uint64_t version; /* that it has */
    struct certificates_follower *next;
};

struct certificates {
    struct certificates_files files; /* of our own paths */
    char *paths[3];
    pthread_mutex_t lock;
    struct held held;
    uint64_t version;
    struct stamp stamps[3];  /* of what is in force */
    struct stamp refused[3]; /* of what was found bad last */
    int64_t looked_at;
    enum certificates_news told_age; /* EXPIRING, then EXPIRED */
    struct certificates_follower *followers;
};

/* ---- reading ---- */

static bool fail(char why[CERTIFICATES_WHY_SIZE], const char *path, const char *what)
{
    snprintf(why, CERTIFICATES_WHY_SIZE, "%s: %s", path, what);
    return false;
}

static void stamp_of(const char *path, struct stamp *out)
{
    struct stat st;
    memset(out, 0, sizeof *out);
    if (path == NULL || stat(path, &st) != 0)
        return;
    out->device = st.st_dev;
    out->inode = st.st_ino;
    out->size = st.st_size;
    out->modified = st.st_mtim;
}

static void stamps_of(const struct certificates_files *files, struct stamp out[3])
{
    stamp_of(files->certificate, &out[0]);
    stamp_of(files->key, &out[1]);
    stamp_of(files->roots, &out[2]);
}

static bool read_file(const char *path, char **out, char why[CERTIFICATES_WHY_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(why, path, strerror(errno));
    char *text = malloc(CERTIFICATES_FILE_BYTES_MAX + 1);
    size_t used = 0;
    ssize_t got = 0;
    while (text != NULL && used < CERTIFICATES_FILE_BYTES_MAX &&
           (got = read(fd, text + used, CERTIFICATES_FILE_BYTES_MAX - used)) > 0)
        used += (size_t)got;
    int error = errno;
    close(fd);
    if (text == NULL || got < 0 || used == CERTIFICATES_FILE_BYTES_MAX) {
        free(text);
        return fail(why, path, text == NULL ? "out of memory" : got < 0 ? strerror(error) : "is larger than 1 MiB");
    }
    text[used] = '\0';
    *out = text;
    return true;
}

void certificates_pem_free(struct certificates_pem *pem)
{
    free(pem->certificate);
    if (pem->key != NULL) {
        OPENSSL_cleanse(pem->key, strlen(pem->key));
        free(pem->key);
    }
    free(pem->roots);
    *pem = (struct certificates_pem){0};
}

/* ---- checking ---- */

/* No program asks at a terminal for the passphrase of a key. */
static int no_passphrase(char *text, int size, int writing, void *self)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)self;
    return -1;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Why a certificate cannot be used now, or NULL. */
static const char *out_of_date(const X509 *x, int64_t now)
{
    if (seconds_of(X509_get0_notBefore(x)) > now)
        return "a certificate in it is not valid yet; see the clock of this machine and of who issued it";
    if (seconds_of(X509_get0_notAfter(x)) < now)
        return "a certificate in it has expired";
    return NULL;
}

/* Reads every certificate of a PEM text; each goes to take, which returns what is wrong with it, or NULL. */
static const char *each_certificate(const char *text, const char *(*take)(void *self, X509 *x, unsigned index),
                                    void *self)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    const char *wrong = NULL;
    unsigned count = 0;
    X509 *x;
    while (bio != NULL && wrong == NULL && (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        wrong = take(self, x, count++);
        X509_free(x);
    }
    unsigned long error = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    if (wrong != NULL)
        return wrong;
    if (count == 0 || !at_end)
        return count == 0 ? "holds no certificate in PEM form" : "is cut short, or holds what is not PEM";
    return NULL;
}

struct own {
    struct held *held;
    EVP_PKEY *key;
    int64_t now;
};

static const char *take_own(void *self, X509 *x, unsigned index)
{
    struct own *own = self;
    int64_t from = seconds_of(X509_get0_notBefore(x)), to = seconds_of(X509_get0_notAfter(x));
    if (index == 0 && X509_check_private_key(x, own->key) != 1)
        return "its key is not that of the key file; a rotation may have written one of them only";
    if (index == 0 || from > own->held->not_before)
        own->held->not_before = from;
    if (index == 0 || to < own->held->not_after)
        own->held->not_after = to;
    return out_of_date(x, own->now);
}

static const char *take_root(void *self, X509 *x, unsigned index)
{
    (void)self;
    (void)x;
    (void)index;
    return NULL; /* an expired root among good ones is what a rotation of roots looks like */
}

static bool check_own(const struct certificates_files *files, struct held *held, int64_t now,
                      char why[CERTIFICATES_WHY_SIZE])
{
    BIO *bio = BIO_new_mem_buf(held->pem.key, -1);
    struct own own = {.held = held, .now = now};
    own.key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (own.key == NULL)
        return fail(why, files->key, "holds no private key in PEM form, or one behind a passphrase");
    const char *wrong = each_certificate(held->pem.certificate, take_own, &own);
    EVP_PKEY_free(own.key);
    return wrong == NULL || fail(why, files->certificate, wrong);
}

/* Reads and checks all. On failure nothing is held. */
static bool take_files(const struct certificates_files *files, struct held *out, char why[CERTIFICATES_WHY_SIZE])
{
    bool good = true;
    memset(out, 0, sizeof *out);
    if (files->certificate != NULL || files->key != NULL) {
        if (files->certificate == NULL || files->key == NULL)
            good = fail(why, files->certificate != NULL ? files->certificate : files->key,
                        "a certificate and its key must be given together");
        good = good && read_file(files->certificate, &out->pem.certificate, why) &&
               read_file(files->key, &out->pem.key, why) && check_own(files, out, (int64_t)time(NULL), why);
    }
    if (good && files->roots != NULL) {
        good = read_file(files->roots, &out->pem.roots, why);
        const char *wrong = good ? each_certificate(out->pem.roots, take_root, NULL) : NULL;
        if (wrong != NULL)
            good = fail(why, files->roots, wrong);
    }
    if (!good)
        certificates_pem_free(&out->pem);
    return good;
}

/* ---- keeping ---- */

static void free_paths(struct certificates *c)
{
    for (int i = 0; i < 3; i++)
        free(c->paths[i]);
}

bool certificates_create(const struct certificates_files *files, struct certificates **out,
                         char why[CERTIFICATES_WHY_SIZE])
{
    struct certificates *c = calloc(1, sizeof *c);
    if (c == NULL)
        return fail(why, "certificates", "out of memory");
    const char *const from[3] = {files->certificate, files->key, files->roots};
    const char **const to[3] = {&c->files.certificate, &c->files.key, &c->files.roots};
    bool whole = true;
    for (int i = 0; i < 3; i++)
        whole = (from[i] == NULL || (*to[i] = c->paths[i] = strdup(from[i])) != NULL) && whole;
    c->files.followers_look = files->followers_look;
    stamps_of(files, c->stamps);
    if (!whole || !take_files(files, &c->held, why)) {
        free_paths(c);
        free(c);
        return whole ? false : fail(why, "certificates", "out of memory");
    }
    c->version = 1;
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return true;
}

void certificates_destroy(struct certificates *c)
{
    if (c == NULL)
        return;
    certificates_pem_free(&c->held.pem);
    while (c->followers != NULL) {
        struct certificates_follower *f = c->followers;
        c->followers = f->next;
        free(f);
    }
    pthread_mutex_destroy(&c->lock);
    free_paths(c);
    free(c);
}

static int64_t monotonic_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec;
}

static enum certificates_news look_at_age(struct certificates *c, char why[CERTIFICATES_WHY_SIZE])
{
    int64_t left = c->held.not_after - (int64_t)time(NULL), life = c->held.not_after - c->held.not_before;
    enum certificates_news news = left <= 0                      ? CERTIFICATES_EXPIRED
                                  : left <= life / EXPIRING_PART ? CERTIFICATES_EXPIRING
                                                                 : CERTIFICATES_SAME;
    if (c->held.not_after == 0 || news == c->told_age || news == CERTIFICATES_SAME)
        return CERTIFICATES_SAME;
    c->told_age = news;
    snprintf(why, CERTIFICATES_WHY_SIZE, "%s: %s %lld s%s", c->files.certificate, left <= 0 ? "ended" : "ends in",
             llabs((long long)left), left <= 0 ? " ago" : "");
    return news;
}

static enum certificates_news look(struct certificates *c, char why[CERTIFICATES_WHY_SIZE])
{
    struct stamp stamps[3];
    struct held held;
    stamps_of(&c->files, stamps);
    if (memcmp(stamps, c->stamps, sizeof stamps) == 0)
        return look_at_age(c, why);
    bool told = memcmp(stamps, c->refused, sizeof stamps) == 0;
    if (!take_files(&c->files, &held, why)) {
        memcpy(c->refused, stamps, sizeof stamps);
        return told ? CERTIFICATES_SAME : CERTIFICATES_BAD;
    }
    certificates_pem_free(&c->held.pem);
    c->held = held;
    c->version++;
    c->told_age = CERTIFICATES_SAME;
    memcpy(c->stamps, stamps, sizeof stamps);
    snprintf(why, CERTIFICATES_WHY_SIZE, "%s", c->files.certificate != NULL ? c->files.certificate : c->files.roots);
    return CERTIFICATES_NEW;
}

/* At most once a second. */
static enum certificates_news look_again(struct certificates *c, char why[CERTIFICATES_WHY_SIZE])
{
    int64_t now = monotonic_s();
    if (now == c->looked_at)
        return CERTIFICATES_SAME;
    c->looked_at = now;
    return look(c, why);
}

enum certificates_news certificates_look(struct certificates *c, char why[CERTIFICATES_WHY_SIZE])
{
    pthread_mutex_lock(&c->lock);
    enum certificates_news news = look_again(c, why);
    pthread_mutex_unlock(&c->lock);
    return news;
}

uint64_t certificates_version(struct certificates *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t version = c->version;
    pthread_mutex_unlock(&c->lock);
    return version;
}

int64_t certificates_not_after(struct certificates *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t at = c->held.not_after;
    pthread_mutex_unlock(&c->lock);
    return at;
}

int64_t certificates_lifetime(struct certificates *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t life = c->held.not_after - c->held.not_before;
    pthread_mutex_unlock(&c->lock);
    return life;
}

static uint64_t copy(const struct certificates *c, struct certificates_pem *out)
{
    const struct certificates_pem *in = &c->held.pem;
    out->certificate = in->certificate == NULL ? NULL : strdup(in->certificate);
    out->key = in->key == NULL ? NULL : strdup(in->key);
    out->roots = in->roots == NULL ? NULL : strdup(in->roots);
    if ((out->certificate == NULL) == (in->certificate == NULL) && (out->key == NULL) == (in->key == NULL) &&
        (out->roots == NULL) == (in->roots == NULL))
        return c->version;
    certificates_pem_free(out);
    return 0;
}

uint64_t certificates_copy(struct certificates *c, struct certificates_pem *out)
{
    pthread_mutex_lock(&c->lock);
    uint64_t version = copy(c, out);
    pthread_mutex_unlock(&c->lock);
    return version;
}

struct certificates_follower *certificates_follow(struct certificates *c)
{
    struct certificates_follower *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->certificates = c;
    pthread_mutex_lock(&c->lock);
    f->next = c->followers;
    c->followers = f;
    pthread_mutex_unlock(&c->lock);
    return f;
}

bool certificates_follow_up(struct certificates_follower *f, struct certificates_pem *out)
{
    struct certificates *c = f->certificates;
    char why[CERTIFICATES_WHY_SIZE];
    uint64_t version = 0;
    pthread_mutex_lock(&c->lock);
    if (c->files.followers_look)
        look_again(c, why);
    if (f->version != c->version)
        version = copy(c, out);
    if (version != 0)
        f->version = version;
    pthread_mutex_unlock(&c->lock);
    return version != 0;
}
