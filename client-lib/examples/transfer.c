/* transfer.c - an enlisted saga: this program moves money between two accounts by itself, and has the sidecar undo what was done when it
 * fails or dies on the way.  transfer AMOUNT
 *
 * The accounts are two files in the working directory. What undoes a step is a call of the participant "bank" (a target in sagad.yaml),
 * whose methods Refund and TakeBack get the amount as their request. */
#include <saga/saga.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds amount to the account in a file. Returns how that went, as the saga wants to know it. */
static enum saga_outcome add(const char *account, long amount)
{
    long balance = 0;
    FILE *file = fopen(account, "r");
    if (file) {
        if (fscanf(file, "%ld", &balance) != 1)
            balance = 0;
        fclose(file);
    }
    if (balance + amount < 0)
        return SAGA_REJECTED; /* nothing was changed */
    file = fopen(account, "w");
    if (!file)
        return SAGA_REJECTED;
    int written = fprintf(file, "%ld\n", balance + amount);
    return fclose(file) == 0 && written > 0 ? SAGA_DONE : SAGA_UNKNOWN; /* a file half written: nobody knows */
}

static int failed(saga_tx *tx, const char *what, const struct saga_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->message);
    /* What was enlisted is undone: now, or without this call when the lease has lapsed. */
    saga_abort(tx, what, NULL);
    return 1;
}

/* A step was not done. Said so before the abort, it is not undone for nothing when it was certainly rejected. */
static int give_up(saga_tx *tx, const struct saga_settlement *settlement, const char *why)
{
    struct saga_error error;
    if (saga_advance(tx, settlement, 1, NULL, 0, &error) != SAGA_OK || saga_abort(tx, why, &error) != SAGA_OK)
        return failed(tx, why, &error);
    fprintf(stderr, "%s\n", why);
    return 1;
}

static int transfer(saga_tx *tx, const char *amount)
{
    struct saga_error error;
    struct saga_compensation refund = {
        .target = "bank", .method = "/bank.v1.Bank/Refund", .request = amount, .request_size = strlen(amount)};
    struct saga_compensation take_back = refund;
    take_back.method = "/bank.v1.Bank/TakeBack";

    /* Durable before anything is done: from here on the sidecar knows how to undo it. */
    if (saga_enlist(tx, "debit", &refund, &error) != SAGA_OK)
        return failed(tx, "enlist debit", &error);
    struct saga_settlement debit = {.step = "debit", .outcome = add("alice.account", -atol(amount))};
    if (debit.outcome != SAGA_DONE)
        return give_up(tx, &debit, "alice cannot pay");
    /* One call, one write to the sidecar's disk: the debit's outcome and the next step. */
    struct saga_enlistment credit = {.step = "credit", .compensation = &take_back};
    if (saga_advance(tx, &debit, 1, &credit, 1, &error) != SAGA_OK)
        return failed(tx, "enlist credit", &error);
    if (saga_tx_lease_left_ms(tx) == 0)
        return 1; /* too late: the sidecar may be undoing already */
    struct saga_settlement credited = {.step = "credit", .outcome = add("bob.account", atol(amount))};
    if (credited.outcome != SAGA_DONE)
        return give_up(tx, &credited, "bob cannot be paid");
    if (saga_commit_with(tx, &credited, 1, &error) != SAGA_OK)
        return failed(tx, "commit", &error);
    return 0;
}

int main(int argc, char **argv)
{
    struct saga_error error;
    saga_client *client;
    saga_tx *tx;
    if (argc != 2 || atol(argv[1]) <= 0)
        return fprintf(stderr, "usage: transfer AMOUNT\n"), 2;
    if (saga_client_open(NULL, &client, &error) != SAGA_OK ||
        saga_begin(client, &(struct saga_begin_options){.name = "transfer", .lease_ms = 10000}, &tx, &error) != SAGA_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    int status = transfer(tx, argv[1]);
    printf("transfer %s: %s\n", saga_tx_id(tx), status == 0 ? "committed" : "not committed");
    saga_tx_free(tx);
    saga_client_close(client);
    return status;
}
