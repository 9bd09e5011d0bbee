// interop.cc - a client and a participant in C++ with gRPC's own C++ library and protoc's messages: commit, rollback, enlisted sagas, Pipe,
// Watch, and errors with their details. Only a test: nothing of the product is C++.
//
//   interop SAGAD      starts that sidecar beside a participant of its own, and ends with a line of counts; exit 0 when all is well
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "saga/v1/coordinator.grpc.pb.h"
#include "saga/v1/operator.grpc.pb.h"
#include "shop.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace api = saga::v1;
namespace shop = interop::v1;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

static int checks, failures;

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                         \
        }                                                                                                              \
    } while (0)

// ---- the participant ----

// What came, in order: "Take action", and the metadata of the last call of each.
class Shop final : public shop::Shop::Service {
public:
    std::vector<std::string> calls(const std::string &saga)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        return calls_[saga];
    }

    std::map<std::string, std::string> metadata(const std::string &call)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        return metadata_[call];
    }

    Status Take(grpc::ServerContext *context, const shop::Order *order, shop::Note *note) override
    {
        note->set_text("took " + order->id());
        return arrived(context, "Take");
    }

    Status PutBack(grpc::ServerContext *context, const shop::Order *, shop::Note *) override
    {
        return arrived(context, "PutBack");
    }

    // Declined for more than ten; the first attempt of a count of five is lost.
    Status Pay(grpc::ServerContext *context, const shop::Order *order, shop::Note *note) override
    {
        Status status = arrived(context, "Pay");
        if (order->count() > 10)
            return Status(StatusCode::FAILED_PRECONDITION, "declined");
        if (order->count() == 5 && value(context, "saga-attempt") == "1") {
            context->AddTrailingMetadata("grpc-retry-pushback-ms", "20");
            return Status(StatusCode::UNAVAILABLE, "try again");
        }
        note->set_text("paid " + order->id());
        return status;
    }

    // Its request is what Pay answered.
    Status Refund(grpc::ServerContext *context, const shop::Note *paid, shop::Note *note) override
    {
        note->set_text("refunded what was " + paid->text());
        return arrived(context, "Refund " + paid->text());
    }

    Status Send(grpc::ServerContext *context, const shop::Order *order, shop::Note *) override
    {
        Status status = arrived(context, "Send");
        return order->count() == 7 ? Status(StatusCode::INTERNAL, "the van is lost") : status;
    }

private:
    static std::string value(grpc::ServerContext *context, const char *key)
    {
        auto found = context->client_metadata().find(key);
        return found == context->client_metadata().end() ? "" : std::string(found->second.data(), found->second.size());
    }

    Status arrived(grpc::ServerContext *context, const std::string &method)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        std::string call = method + " " + value(context, "saga-phase");
        calls_[value(context, "saga-id")].push_back(call);
        for (const char *key : {"saga-id", "saga-definition", "saga-step", "saga-attempt", "idempotency-key", "saga-action-outcome",
                                "saga-action-key"})
            metadata_[call][key] = value(context, key);
        return Status::OK;
    }

    std::mutex mutex_;
    std::map<std::string, std::vector<std::string>> calls_;
    std::map<std::string, std::map<std::string, std::string>> metadata_;
};

// ---- the sidecar ----

struct Sidecar {
    std::string directory, address;
    pid_t pid = 0;

    Sidecar(const char *binary, int shop_port)
    {
        char name[] = "/tmp/saga-interop-XXXXXX";
        if (mkdtemp(name) == nullptr)
            std::abort();
        directory = name;
        address = "unix:" + directory + "/sagad.sock";
        std::ofstream(directory + "/sagad.yaml")
            << "data_dir: " << directory << "/data\nlisten: ['" << address << "']\nlog_level: warn\ntargets: {shop: '127.0.0.1:"
            << shop_port << "'}\n";
        pid = fork();
        if (pid == 0) {
            execl(binary, binary, "-f", (directory + "/sagad.yaml").c_str(), nullptr);
            std::perror(binary);
            _exit(127);
        }
    }

    int stop()
    {
        int status = 0;
        kill(pid, SIGTERM);
        waitpid(pid, &status, 0);
        std::string remove = "rm -rf '" + directory + "'";
        if (std::system(remove.c_str()) != 0)
            return -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
};

// ---- the client ----

struct Failure {
    StatusCode code;
    std::string reason, domain, field;
    bool retry = false;
};

static void take_details(const google::rpc::Status &status, Failure *failure)
{
    for (const google::protobuf::Any &detail : status.details()) {
        google::rpc::ErrorInfo info;
        google::rpc::BadRequest bad;
        if (detail.UnpackTo(&info)) {
            failure->reason = info.reason();
            failure->domain = info.domain();
        } else if (detail.UnpackTo(&bad) && bad.field_violations_size() > 0) {
            failure->field = bad.field_violations(0).field();
        } else if (detail.Is<google::rpc::RetryInfo>()) {
            failure->retry = true;
        }
    }
}

static Failure failure_of(const Status &status)
{
    google::rpc::Status rich;
    Failure failure;
    failure.code = status.error_code();
    EXPECT(rich.ParseFromString(status.error_details()));
    EXPECT(rich.code() == status.error_code());
    take_details(rich, &failure);
    return failure;
}

struct Client {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<api::Coordinator::Stub> coordinator;

    explicit Client(const std::string &address)
        : channel(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
          coordinator(api::Coordinator::NewStub(channel))
    {
    }

    template <typename Response, typename Request>
    Status call(Status (api::Coordinator::Stub::*method)(ClientContext *, const Request &, Response *), const Request &request,
                Response *response)
    {
        ClientContext context;
        context.set_wait_for_ready(true);
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
        return (coordinator.get()->*method)(&context, request, response);
    }

    api::Saga end(const std::string &id)
    {
        api::WaitRequest request;
        api::WaitResponse response;
        request.set_saga_id(id);
        EXPECT(call(&api::Coordinator::Stub::Wait, request, &response).ok());
        return response.saga();
    }

    api::Saga run(const std::string &order_id, unsigned count)
    {
        shop::Order order;
        order.set_id(order_id);
        order.set_count(count);
        api::StartRequest request;
        api::StartResponse response;
        request.set_definition("order");
        request.set_input(order.SerializeAsString());
        EXPECT(call(&api::Coordinator::Stub::Start, request, &response).ok());
        return end(response.saga_id());
    }
};

using Calls = std::vector<std::string>;

static const char definition[] =
    "name: order\nversion: 1.0.0\nsteps:\n"
    "  - {name: take, target: shop, action: /interop.v1.Shop/Take, compensation: /interop.v1.Shop/PutBack}\n"
    "  - {name: pay, after: [take], target: shop, action: /interop.v1.Shop/Pay,\n"
    "     compensation: {method: /interop.v1.Shop/Refund, request: own_output}}\n"
    "  - {name: send, after: [pay], target: shop, action: /interop.v1.Shop/Send}\n";

static void test_definition(Client &client)
{
    api::RegisterDefinitionRequest request;
    api::RegisterDefinitionResponse response;
    request.set_source(definition);
    EXPECT(client.call(&api::Coordinator::Stub::RegisterDefinition, request, &response).ok());
    EXPECT(response.name() == "order" && response.version() == "1.0.0" && !response.already_registered());
    EXPECT(client.call(&api::Coordinator::Stub::RegisterDefinition, request, &response).ok());
    EXPECT(response.already_registered());
}

static void test_commit(Client &client, Shop &shop)
{
    api::Saga saga = client.run("one", 1);
    EXPECT(saga.state() == api::SAGA_STATE_COMMITTED);
    EXPECT((shop.calls(saga.id()) == Calls{"Take action", "Pay action", "Send action"}));
    auto metadata = shop.metadata("Take action");
    EXPECT(metadata["saga-id"] == saga.id() && metadata["saga-definition"] == "order" && metadata["saga-step"] == "take");
    EXPECT(metadata["saga-attempt"] == "1" && !metadata["idempotency-key"].empty());

    saga = client.run("again", 5);
    EXPECT(saga.state() == api::SAGA_STATE_COMMITTED);
    EXPECT((shop.calls(saga.id()) == Calls{"Take action", "Pay action", "Pay action", "Send action"}));
}

static void test_rollback(Client &client, Shop &shop)
{
    api::Saga saga = client.run("declined", 11);
    EXPECT(saga.state() == api::SAGA_STATE_COMPENSATED && saga.reason() == api::REASON_ACTION_REJECTED);
    EXPECT((shop.calls(saga.id()) == Calls{"Take action", "Pay action", "PutBack compensation"}));
    auto metadata = shop.metadata("PutBack compensation");
    EXPECT(metadata["saga-action-outcome"] == "done");
    EXPECT(metadata["saga-action-key"] == shop.metadata("Take action")["idempotency-key"]);

    saga = client.run("lost", 7);
    EXPECT(saga.state() == api::SAGA_STATE_COMPENSATED && saga.reason() == api::REASON_ACTION_UNKNOWN);
    EXPECT((shop.calls(saga.id()) ==
            Calls{"Take action", "Pay action", "Send action", "Refund paid lost compensation", "PutBack compensation"}));

    api::GetRequest request;
    api::GetResponse response;
    request.set_saga_id(saga.id());
    request.set_include_payloads(true);
    EXPECT(client.call(&api::Coordinator::Stub::Get, request, &response).ok());
    shop::Note note;
    EXPECT(response.saga().steps_size() == 3 && note.ParseFromString(response.saga().steps(1).output()));
    EXPECT(note.text() == "paid lost" && response.saga().steps(2).last_message() == "the van is lost");
    EXPECT(response.timeline_size() > 8 && response.timeline(0).type() == api::EVENT_TYPE_SAGA_STARTED);

    ClientContext context;
    api::WatchRequest watch;
    api::WatchResponse events;
    watch.set_saga_id(saga.id());
    watch.set_cursor(response.timeline(2).cursor());
    int count = 0;
    auto reader = client.coordinator->Watch(&context, watch);
    while (reader->Read(&events))
        count += events.events_size();
    EXPECT(reader->Finish().ok() && count == response.timeline_size() - 3);
}

static void enlist(api::Enlistment *out, const char *step, const char *method)
{
    shop::Order order;
    order.set_id(step);
    out->set_step(step);
    out->mutable_compensation()->set_target("shop");
    out->mutable_compensation()->set_method(method);
    out->mutable_compensation()->set_request(order.SerializeAsString());
    out->mutable_compensation()->mutable_timeout()->set_seconds(2);
}

static void settle(api::Settlement *out, const char *step, api::Outcome outcome)
{
    out->set_step(step);
    out->set_outcome(outcome);
}

static std::string begin(Client &client)
{
    api::BeginRequest request;
    api::BeginResponse response;
    request.set_name("by-hand");
    enlist(request.add_enlist(), "first", "/interop.v1.Shop/PutBack");
    EXPECT(client.call(&api::Coordinator::Stub::Begin, request, &response).ok());
    api::EnlistRequest more;
    api::EnlistResponse done;
    more.set_saga_id(response.saga_id());
    settle(more.add_settle(), "first", api::OUTCOME_DONE);
    enlist(more.add_enlist(), "second", "/interop.v1.Shop/Take");
    EXPECT(client.call(&api::Coordinator::Stub::Enlist, more, &done).ok());
    return response.saga_id();
}

static void test_enlisted(Client &client, Shop &shop)
{
    std::string id = begin(client);
    api::CommitRequest commit;
    api::CommitResponse committed;
    commit.set_saga_id(id);
    Failure failure = failure_of(client.call(&api::Coordinator::Stub::Commit, commit, &committed));
    EXPECT(failure.code == StatusCode::FAILED_PRECONDITION && failure.reason == "STEPS_OPEN");
    settle(commit.add_settle(), "second", api::OUTCOME_DONE);
    EXPECT(client.call(&api::Coordinator::Stub::Commit, commit, &committed).ok());
    EXPECT(client.end(id).state() == api::SAGA_STATE_COMMITTED && shop.calls(id).empty());

    id = begin(client);
    api::AbortRequest abort;
    api::AbortResponse aborted;
    abort.set_saga_id(id);
    EXPECT(client.call(&api::Coordinator::Stub::Abort, abort, &aborted).ok());
    EXPECT(client.end(id).state() == api::SAGA_STATE_COMPENSATED);
    EXPECT((shop.calls(id) == Calls{"Take compensation", "PutBack compensation"}));
    EXPECT(shop.metadata("Take compensation")["saga-action-outcome"] == "unknown");
}

static void test_errors(Client &client)
{
    api::StartRequest start;
    api::StartResponse started;
    start.set_definition("nothing");
    Failure failure = failure_of(client.call(&api::Coordinator::Stub::Start, start, &started));
    EXPECT(failure.code == StatusCode::NOT_FOUND && failure.reason == "DEFINITION_NOT_FOUND" && failure.domain == "saga.v1");
    EXPECT(!failure.retry);

    api::BeginRequest begin;
    api::BeginResponse begun;
    begin.set_name("x");
    enlist(begin.add_enlist(), "fine", "/interop.v1.Shop/Take");
    enlist(begin.add_enlist(), "not fine", "/interop.v1.Shop/Take");
    failure = failure_of(client.call(&api::Coordinator::Stub::Begin, begin, &begun));
    EXPECT(failure.code == StatusCode::INVALID_ARGUMENT && failure.field == "enlist[1].step");

    api::GetRequest get;
    api::GetResponse got;
    get.set_saga_id("000000000000-1");
    failure = failure_of(client.call(&api::Coordinator::Stub::Get, get, &got));
    EXPECT(failure.code == StatusCode::NOT_FOUND && failure.reason == "SAGA_NOT_FOUND");

    auto op = api::Operator::NewStub(client.channel);
    api::PauseRequest pause;
    api::PauseResponse paused;
    ClientContext context;
    pause.set_saga_id(::begin(client));
    failure = failure_of(op->Pause(&context, pause, &paused));
    EXPECT(failure.code == StatusCode::INVALID_ARGUMENT && failure.field == "actor");
}

static void test_pipe(Client &client)
{
    ClientContext context;
    auto pipe = client.coordinator->Pipe(&context);
    for (int round = 0; round < 20; round++) {
        api::PipeRequest request;
        api::PipeResponse response;
        for (int i = 0; i < 8; i++)
            request.add_commands()->mutable_begin()->set_name(i == 3 ? "not valid" : "piped");
        EXPECT(pipe->Write(request) && pipe->Read(&response) && response.results_size() == 8);
        api::PipeRequest commits;
        for (int i = 0; i < response.results_size(); i++) {
            EXPECT(response.results(i).has_error() == (i == 3));
            if (i != 3)
                commits.add_commands()->mutable_commit()->set_saga_id(response.results(i).begin().saga_id());
        }
        Failure failure;
        take_details(response.results(3).error(), &failure);
        EXPECT(failure.reason == "INVALID_ARGUMENT" && failure.field == "name");
        EXPECT(pipe->Write(commits) && pipe->Read(&response) && response.results_size() == 7);
        for (const api::Result &result : response.results())
            EXPECT(result.has_commit());
    }
    pipe->WritesDone();
    api::PipeResponse rest;
    EXPECT(!pipe->Read(&rest));
    EXPECT(pipe->Finish().ok());
}

static void test_health(Client &client)
{
    auto health = grpc::health::v1::Health::NewStub(client.channel);
    ClientContext context;
    grpc::health::v1::HealthCheckResponse response;
    EXPECT(health->Check(&context, grpc::health::v1::HealthCheckRequest(), &response).ok());
    EXPECT(response.status() == grpc::health::v1::HealthCheckResponse::SERVING);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s SAGAD\n", argv[0]);
        return 2;
    }
    Shop shop;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&shop);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    Sidecar sidecar(argv[1], port);
    {
        Client client(sidecar.address);
        test_definition(client);
        test_commit(client, shop);
        test_rollback(client, shop);
        test_enlisted(client, shop);
        test_errors(client);
        test_pipe(client);
        test_health(client);
    }
    EXPECT(sidecar.stop() == 0);
    server->Shutdown();
    std::printf("e2e in C++: %d checks, %d failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
