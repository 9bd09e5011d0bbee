/* certificates.h - who we are and whom we trust, from PEM files as cert-manager, SPIRE's helper and Istio write them: a certificate with its
 * chain, its key, and roots.
 *
 * What is read is checked before it is used: the key fits the certificate, each is readable, none is out of date. Files that change are read
 * again; as long as the new ones are bad (half-written, say) the old ones stay, and why is told. Any thread may ask. */
#ifndef SAGA_TRANSPORT_CERTIFICATES_H
#define SAGA_TRANSPORT_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CERTIFICATES_FILE_BYTES_MAX (1 << 20)
#define CERTIFICATES_WHY_SIZE       320

/* The files; all three for who is to prove itself and asks for proof. A client that has no certificate of its own leaves the first two NULL;
 * a server that asks no client for one leaves roots NULL. Copied. */
struct certificates_files {
    const char *certificate, *key, *roots;
    bool followers_look; /* nobody calls certificates_look: whoever follows looks at the files, too */
};

struct certificates;

/* Reads and checks the files. Gives *out. Returns false with the reason in why: the file, what is wrong, and where it can be told what to do. */
bool certificates_create(const struct certificates_files *files, struct certificates **out,
                         char why[CERTIFICATES_WHY_SIZE]);

/* Accepts NULL. */
void certificates_destroy(struct certificates *c);

enum certificates_news {
    CERTIFICATES_SAME, /* as they were */
    CERTIFICATES_NEW,  /* others are in force from now on */
    CERTIFICATES_BAD, /* others lie there that cannot be used; the old ones stay. Told once for each state of the files */
    CERTIFICATES_EXPIRING, /* as they were, and a tenth of their life is left, or less. Told once */
    CERTIFICATES_EXPIRED   /* as they were, and their end has passed. Told once */
};

/* Looks at the files, at most once a second. why is filled in unless it is SAME. */
enum certificates_news certificates_look(struct certificates *c, char why[CERTIFICATES_WHY_SIZE]);

/* A number that changes whenever others come into force. */
uint64_t certificates_version(struct certificates *c);

/* Seconds since 1970 when the certificate or its chain ends, whichever is first; 0 when there is none. */
int64_t certificates_not_after(struct certificates *c);

/* Seconds from when all of it is valid to when it ends; 0 when there is none. */
int64_t certificates_lifetime(struct certificates *c);

/* Copies of what is in force: PEM texts to be freed, NULL where there is no such file. Returns their version, or 0 when no memory is left. */
struct certificates_pem {
    char *certificate, *key, *roots;
};
uint64_t certificates_copy(struct certificates *c, struct certificates_pem *out);
void certificates_pem_free(struct certificates_pem *pem);

/* One who uses what is in force, and asks whether there is something newer. Belongs to c, and goes with it. NULL when no memory is left. */
struct certificates_follower;
struct certificates_follower *certificates_follow(struct certificates *c);

/* Copies what is in force if this follower does not have it yet. Returns false when it does, or when no memory is left. */
bool certificates_follow_up(struct certificates_follower *f, struct certificates_pem *out);

#endif
