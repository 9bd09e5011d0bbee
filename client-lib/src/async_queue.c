/* async_queue.c - the queue of commands: bounds, deadlines, completions. */
#include "client-lib/src/client_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HEAP_ROOM_FIRST 64

/* ---- lists ---- */

void command_append(struct command_list *list, struct command *command)
{
    command->next = NULL;
    command->previous = list->last;
    if (list->last)
        list->last->next = command;
    else
        list->first = command;
    list->last = command;
}

static void list_remove(struct command_list *list, struct command *command)
{
    if (command->previous)
        command->previous->next = command->next;
    else
        list->first = command->next;
    if (command->next)
        command->next->previous = command->previous;
    else
        list->last = command->previous;
}

/* ---- the heap of deadlines ---- */

static void heap_place(struct async *a, size_t index, struct command *command)
{
    a->heap[index] = command;
    command->heap_index = index;
}

static void heap_up(struct async *a, size_t index, struct command *command)
{
    while (index > 0 && a->heap[(index - 1) / 2]->deadline > command->deadline) {
        heap_place(a, index, a->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_place(a, index, command);
}

static void heap_down(struct async *a, size_t index, struct command *command)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= a->heap_count)
            break;
        if (child + 1 < a->heap_count && a->heap[child + 1]->deadline < a->heap[child]->deadline)
            child++;
        if (a->heap[child]->deadline >= command->deadline)
            break;
        heap_place(a, index, a->heap[child]);
        index = child;
    }
    heap_place(a, index, command);
}

static bool heap_insert(struct async *a, struct command *command)
{
    if (a->heap_count == a->heap_room) {
        size_t room = a->heap_room == 0 ? HEAP_ROOM_FIRST : a->heap_room * 2;
        struct command **heap = realloc(a->heap, room * sizeof(*heap));
        if (!heap)
            return false;
        a->heap = heap;
        a->heap_room = room;
    }
    heap_up(a, a->heap_count++, command);
    return true;
}

static void heap_remove(struct async *a, struct command *command)
{
    size_t index = command->heap_index;
    struct command *last = a->heap[--a->heap_count];
    if (last == command)
        return;
    if (index > 0 && a->heap[(index - 1) / 2]->deadline > last->deadline)
        heap_up(a, index, last);
    else
        heap_down(a, index, last);
}

/* ---- coming and going ---- */

int async_init(saga_client *client, struct saga_error *error)
{
    struct async *a = &client->async;
    a->fd = -1;
    if (client->options.async_poll) {
        a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (a->fd < 0) {
            char text[sizeof error->message];
            snprintf(text, sizeof text, "no eventfd could be made: %s", strerror(errno));
            return saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_SYSTEM, NULL, text);
        }
    }
    pthread_mutex_init(&a->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return SAGA_OK;
}

void async_await_end(saga_client *client)
{
    struct async *a = &client->async;
    pthread_mutex_lock(&a->mutex);
    while (a->open > 0)
        pthread_cond_wait(&a->changed, &a->mutex);
    pthread_mutex_unlock(&a->mutex);
    saga_async_poll(client, SIZE_MAX);
}

void async_finish(saga_client *client)
{
    struct async *a = &client->async;
    if (a->fd >= 0)
        close(a->fd);
    free(a->heap);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
}

static int refuse(struct saga_error *error, const char *reason, const char *text)
{
    return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, reason, NULL, text);
}

int async_push(saga_client *client, struct command *command, struct saga_error *error)
{
    struct async *a = &client->async;
    int code = SAGA_OK;
    pthread_mutex_lock(&a->mutex);
    if (a->outstanding >= client->options.queue_commands_max)
        code = refuse(error, SAGA_REASON_QUEUE, "queue_commands_max commands have not been completed");
    else if (command->size > client->options.queue_bytes_max - a->outstanding_bytes)
        code = refuse(error, SAGA_REASON_QUEUE, "queue_bytes_max bytes of commands have not been completed");
    else if (!heap_insert(a, command))
        code = refuse(error, SAGA_REASON_MEMORY, "no memory for a command");
    if (code == SAGA_OK) {
        command_append(&a->waiting, command);
        a->outstanding++;
        a->open++;
        a->outstanding_bytes += command->size;
    }
    pthread_mutex_unlock(&a->mutex);
    if (code == SAGA_OK)
        wire_wake(client->wire);
    return code;
}

struct command *async_take(struct async *a, size_t size_max)
{
    pthread_mutex_lock(&a->mutex);
    struct command *command = a->waiting.first;
    if (command && command->size > size_max)
        command = NULL;
    if (command)
        list_remove(&a->waiting, command);
    pthread_mutex_unlock(&a->mutex);
    return command;
}

struct command_list async_take_all(struct async *a)
{
    pthread_mutex_lock(&a->mutex);
    struct command_list all = a->waiting;
    a->waiting = (struct command_list){0};
    pthread_mutex_unlock(&a->mutex);
    return all;
}

void async_put_back(struct async *a, struct command_list list)
{
    if (!list.first)
        return;
    pthread_mutex_lock(&a->mutex);
    list.last->next = a->waiting.first;
    if (a->waiting.first)
        a->waiting.first->previous = list.last;
    else
        a->waiting.last = list.last;
    a->waiting.first = list.first;
    pthread_mutex_unlock(&a->mutex);
}

struct command *async_take_expired(struct async *a, int64_t now, int64_t *next)
{
    struct command *command = NULL;
    pthread_mutex_lock(&a->mutex);
    *next = a->heap_count == 0 ? WIRE_FOREVER : a->heap[0]->deadline;
    if (*next <= now) {
        command = a->heap[0];
        if (command->message)
            command->message->commands[command->message_index] = NULL;
        else
            list_remove(&a->waiting, command);
    }
    pthread_mutex_unlock(&a->mutex);
    return command;
}

bool async_is_waiting(struct async *a)
{
    pthread_mutex_lock(&a->mutex);
    bool waiting = a->waiting.first != NULL;
    pthread_mutex_unlock(&a->mutex);
    return waiting;
}

/* ---- completion ---- */

static void run_callback(const struct command *command, const struct saga_result *result)
{
    if (command->done)
        command->done(command->user, result);
}

/* With the mutex held: the callback has returned. */
static void release(struct async *a, struct command *command)
{
    a->outstanding--;
    a->outstanding_bytes -= command->size;
    if (a->outstanding == 0)
        pthread_cond_broadcast(&a->changed);
    free(command->error);
    free(command);
}

/* With the mutex held. */
static void keep_for_poll(struct async *a, struct command *command, const struct completion *completion)
{
    command->code = completion->code;
    command->already_started = completion->already_started;
    client_copy_text(command->saga_id, sizeof command->saga_id, completion->saga_id ? completion->saga_id : "");
    if (completion->code != SAGA_OK && (command->error = malloc(sizeof *command->error)))
        *command->error = *completion->error;
    if (!a->completed.first) {
        uint64_t one = 1;
        /* A counter that is full is readable already. */
        ssize_t written = write(a->fd, &one, sizeof one);
        (void)written;
    }
    command_append(&a->completed, command);
    pthread_cond_broadcast(&a->changed);
}

void async_complete(saga_client *client, struct command *command, const struct completion *completion)
{
    struct async *a = &client->async;
    bool poll = client->options.async_poll;
    pthread_mutex_lock(&a->mutex);
    heap_remove(a, command);
    if (poll) {
        keep_for_poll(a, command, completion);
    } else {
        pthread_mutex_unlock(&a->mutex);
        run_callback(command, &(struct saga_result){.code = completion->code,
                                                    .error = completion->code == SAGA_OK ? NULL : completion->error,
                                                    .saga_id = completion->saga_id ? completion->saga_id : "",
                                                    .already_started = completion->already_started});
        pthread_mutex_lock(&a->mutex);
        release(a, command);
    }
    if (--a->open == 0)
        pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->mutex);
}

/* With the mutex held. */
static struct command *take_completed(struct async *a)
{
    struct command *command = a->completed.first;
    if (!command)
        return NULL;
    list_remove(&a->completed, command);
    if (!a->completed.first) {
        uint64_t count;
        ssize_t got = read(a->fd, &count, sizeof count);
        (void)got;
    }
    return command;
}

size_t saga_async_poll(saga_client *client, size_t max)
{
    /* Where there was no memory to keep an error's details. */
    static const struct saga_error lost_details = {
        .reason = SAGA_REASON_MEMORY, .message = "no memory for the details of this error", .retry_delay_ms = -1};
    struct async *a = &client->async;
    size_t count = 0;
    if (wire_forked(client->wire))
        return 0;
    pthread_mutex_lock(&a->mutex);
    for (struct command *command; count < max && (command = take_completed(a)); count++) {
        pthread_mutex_unlock(&a->mutex);
        struct saga_error details = lost_details;
        details.code = command->code;
        run_callback(command, &(struct saga_result){.code = command->code,
                                                    .error = command->code == SAGA_OK ? NULL
                                                             : command->error         ? command->error
                                                                                      : &details,
                                                    .saga_id = command->saga_id,
                                                    .already_started = command->already_started});
        pthread_mutex_lock(&a->mutex);
        release(a, command);
    }
    pthread_mutex_unlock(&a->mutex);
    return count;
}

int saga_async_fd(const saga_client *client)
{
    return client->async.fd;
}

size_t saga_async_outstanding(const saga_client *client)
{
    struct async *a = (struct async *)(uintptr_t)&client->async;
    if (wire_forked(client->wire))
        return 0;
    pthread_mutex_lock(&a->mutex);
    size_t outstanding = a->outstanding;
    pthread_mutex_unlock(&a->mutex);
    return outstanding;
}

int saga_async_drain(saga_client *client, int64_t timeout_ms, struct saga_error *error)
{
    struct async *a = &client->async;
    int64_t deadline = wire_deadline(timeout_ms);
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    bool late = false;
    int code = client_may_wait(client, error);
    if (code != SAGA_OK)
        return code;
    pthread_mutex_lock(&a->mutex);
    while (a->outstanding > 0 && !late) {
        if (a->completed.first) {
            pthread_mutex_unlock(&a->mutex);
            saga_async_poll(client, SIZE_MAX);
            pthread_mutex_lock(&a->mutex);
        } else if (deadline == WIRE_FOREVER) {
            pthread_cond_wait(&a->changed, &a->mutex);
        } else {
            late = pthread_cond_timedwait(&a->changed, &a->mutex, &until) != 0;
        }
    }
    bool empty = a->outstanding == 0;
    pthread_mutex_unlock(&a->mutex);
    return empty ? SAGA_OK
                 : saga_error_set(error, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL,
                                  "some commands have not been completed in time");
}
