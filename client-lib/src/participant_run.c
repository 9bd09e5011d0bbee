/* participant_run.c - serving until a signal or saga_participant_interrupt. */
#include "client-lib/src/participant_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* The descriptor that the signals' handler writes to; -1 while no participant is in saga_participant_run. */
static atomic_int signalled_fd = -1;

/* Only makes the descriptor readable: a full counter (EAGAIN) is readable as well. */
static void interrupt(int fd)
{
    const uint64_t one = 1;
    int before = errno;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written;
    errno = before;
}

static void on_signal(int number)
{
    (void)number;
    int fd = atomic_load(&signalled_fd);
    if (fd >= 0)
        interrupt(fd);
}

void saga_participant_interrupt(saga_participant *participant)
{
    interrupt(participant->interrupt_fd);
}

static void wait_for_interrupt(saga_participant *p)
{
    struct pollfd pollfd = {.fd = p->interrupt_fd, .events = POLLIN};
    while (poll(&pollfd, 1, -1) < 0 && errno == EINTR)
        ;
}

int saga_participant_run(saga_participant *participant, struct saga_error *error)
{
    static const int signals[2] = {SIGTERM, SIGINT};
    struct sigaction before[2];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);

    int nobody = -1;
    if (!atomic_compare_exchange_strong(&signalled_fd, &nobody, participant->interrupt_fd))
        return saga_error_set(error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_ARGUMENT, NULL,
                              "another participant of this process is in saga_participant_run");
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &action, &before[i]);

    int code = saga_participant_start(participant, error);
    if (code == SAGA_OK) {
        wait_for_interrupt(participant);
        saga_participant_stop(participant);
    }
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &before[i], NULL);
    atomic_store(&signalled_fd, -1);
    return code;
}
