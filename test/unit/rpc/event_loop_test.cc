#include "app/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <thread>

#include "catch.h"

using namespace torii;
using namespace std::chrono_literals;

namespace {

struct Pipe {
    Pipe() { REQUIRE(pipe(ends) == 0); }
    ~Pipe() {
        close(ends[0]);
        close(ends[1]);
    }
    void fill() const { REQUIRE(write(ends[1], "x", 1) == 1); }
    int ends[2];
};

}  // namespace

TEST_CASE("a descriptor is told while it is ready, until it is forgotten") {
    const auto loop = EventLoop::make().value();
    const Pipe pipe;
    int calls = 0;
    REQUIRE(loop->watch(pipe.ends[0], EPOLLIN, [&](std::uint32_t) { ++calls; }));
    CHECK(loop->watch(pipe.ends[0], EPOLLIN, {}).error().code == Errc::exists);
    loop->turn();
    CHECK(calls == 0);
    pipe.fill();
    loop->turn();
    loop->turn();
    CHECK(calls == 2);
    loop->change(pipe.ends[0], 0);
    loop->turn();
    CHECK(calls == 2);
    loop->change(pipe.ends[0], EPOLLIN);
    loop->forget(pipe.ends[0]);
    loop->turn();
    CHECK(calls == 2);
}

TEST_CASE("a callback may forget itself and its neighbour of the same turn") {
    const auto loop = EventLoop::make().value();
    const Pipe first, second;
    int calls = 0;
    const auto forget_both = [&](std::uint32_t) {
        ++calls;
        loop->forget(first.ends[0]);
        loop->forget(second.ends[0]);
    };
    REQUIRE(loop->watch(first.ends[0], EPOLLIN, forget_both));
    REQUIRE(loop->watch(second.ends[0], EPOLLIN, forget_both));
    first.fill();
    second.fill();
    loop->turn();
    CHECK(calls == 1);
}

TEST_CASE("timers come in order of time, once or again, and not when cancelled") {
    const auto loop = EventLoop::make().value();
    std::string order;
    loop->after(4ms, [&] { order += 'b'; });
    loop->after(2ms, [&] { order += 'a'; });
    const auto cancelled = loop->after(1ms, [&] { order += 'x'; });
    loop->cancel(cancelled);
    loop->cancel(cancelled);
    const auto until = EventLoop::Clock::now() + 20ms;
    while (EventLoop::Clock::now() < until) loop->turn();
    CHECK(order == "ab");
    int ticks = 0;
    EventLoop::TimerId every{};
    every = loop->every(1ms, [&] {
        if (++ticks == 3) loop->cancel(every);
    });
    const auto later = EventLoop::Clock::now() + 30ms;
    while (EventLoop::Clock::now() < later) loop->turn();
    CHECK(ticks == 3);
}

TEST_CASE("a timer that starts another of no delay leaves the turn to others") {
    const auto loop = EventLoop::make().value();
    int calls = 0;
    std::function<void()> again = [&] {
        ++calls;
        loop->after(0ms, again);
    };
    loop->after(0ms, again);
    loop->turn();
    CHECK(calls == 1);
    loop->turn();
    CHECK(calls == 2);
}

TEST_CASE("the poll hook is called on every turn, and work found means no waiting") {
    const auto loop = EventLoop::make().value();
    loop->set_turn(10s);
    int polls = 0;
    loop->set_poll([&] { return ++polls < 100; });
    loop->after(0ms, [] {});  // the first turn must not wait either
    const auto before = EventLoop::Clock::now();
    for (int i = 0; i < 100; ++i) loop->turn();
    CHECK(polls == 100);
    CHECK(EventLoop::Clock::now() - before < 5s);
}

TEST_CASE("signals arrive as callbacks on the loop's thread, and run() ends by stop()") {
    const auto loop = EventLoop::make().value();
    int got = 0;
    REQUIRE(loop->on_signal(SIGUSR1, [&](int signal) {
        got = signal;
        loop->stop();
    }));
    REQUIRE(loop->on_signal(SIGUSR2, [](int) {}));
    raise(SIGUSR2);
    raise(SIGUSR1);
    loop->run();
    CHECK(got == SIGUSR1);
    std::thread other{[&] { loop->stop(); }};
    loop->run();
    other.join();
}

TEST_CASE("a callback that throws is told of and the loop goes on") {
    const auto loop = EventLoop::make().value();
    std::string fault;
    loop->on_fault([&](std::string_view what) { fault = what; });
    int calls = 0;
    loop->after(0ms, [] { throw std::runtime_error("a fault"); });
    loop->after(0ms, [&] { ++calls; });
    loop->turn();
    CHECK(fault == "a fault");
    CHECK(calls == 1);
}
