/* fake_dns.c - answers by hand: https://www.rfc-editor.org/rfc/rfc1035, section 4. */
#include "tests/support/fake_dns.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 12, TYPE_A = 1, TYPE_AAAA = 28, ROOM = 512 };

/* Where the question's type stands; 0 when there is none. */
static size_t type_at(const uint8_t *query, size_t size)
{
    size_t at = HEAD;
    while (at < size && query[at] != 0)
        at += 1 + (size_t)query[at];
    return at + 5 <= size ? at + 1 : 0;
}

static size_t put_address(uint8_t *at, unsigned last)
{
    /* The name is the question's; type A, class IN, for no second at all, four bytes. */
    const uint8_t record[] = {0xc0, HEAD, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, (uint8_t)last};
    memcpy(at, record, sizeof record);
    return sizeof record;
}

/* The same of ::1. */
static size_t put_six(uint8_t *at)
{
    const uint8_t record[28] = {0xc0, HEAD, 0, TYPE_AAAA, 0, 1, [11] = 16, [27] = 1};
    memcpy(at, record, sizeof record);
    return sizeof record;
}

static size_t answer(struct fake_dns *dns, uint8_t message[ROOM], size_t size)
{
    size_t type = type_at(message, size);
    if (type == 0)
        return 0;
    size_t end = type + 4;
    message[2] = 0x85; /* an answer, by whoever knows */
    message[3] = 0;
    memset(message + 6, 0, 6);
    if (dns->six && message[type] == 0 && message[type + 1] == TYPE_AAAA) {
        message[7] = 1;
        return end + put_six(message + end);
    }
    if (message[type] != 0 || message[type + 1] != TYPE_A)
        return end;
    atomic_fetch_add(&dns->asked, 1);
    for (size_t i = 0; i < FAKE_DNS_ADDRESSES; i++) {
        unsigned last = atomic_load(&dns->last[i]);
        if (last == 0)
            continue;
        end += put_address(message + end, last);
        message[7]++;
    }
    return end;
}

static void *serve(void *arg)
{
    struct fake_dns *dns = arg;
    uint8_t message[ROOM];
    struct sockaddr_in from;
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t size = recvfrom(dns->socket, message, sizeof message / 2, 0, (struct sockaddr *)&from, &length);
        if (size <= 0)
            return NULL;
        pthread_mutex_lock(&dns->gate);
        size_t full = answer(dns, message, (size_t)size);
        pthread_mutex_unlock(&dns->gate);
        if (full > 0)
            ck_assert_int_eq(sendto(dns->socket, message, full, 0, (struct sockaddr *)&from, length), (ssize_t)full);
    }
}

void fake_dns_start(struct fake_dns *dns)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    dns->socket = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(dns->socket, (struct sockaddr *)&at, size), 0);
    ck_assert_int_eq(getsockname(dns->socket, (struct sockaddr *)&at, &size), 0);
    pthread_mutex_init(&dns->gate, NULL);
    snprintf(dns->address, sizeof dns->address, "127.0.0.1:%d", ntohs(at.sin_port));
    ck_assert_int_eq(pthread_create(&dns->thread, NULL, serve, dns), 0);
}

void fake_dns_stop(struct fake_dns *dns)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    ck_assert_int_eq(getsockname(dns->socket, (struct sockaddr *)&at, &size), 0);
    ck_assert_int_eq(sendto(dns->socket, "", 0, 0, (struct sockaddr *)&at, size), 0); /* nothing: the end */
    pthread_join(dns->thread, NULL);
    pthread_mutex_destroy(&dns->gate);
    close(dns->socket);
}
