// The control core's event loop: descriptors, timers and signals, and a hook that is called on every turn, because the
// packet workers' rings have no descriptor to wait on and must be polled. Single-threaded: whoever calls run() or
// turn() is the control thread, and every callback runs there. A callback that throws does not end the loop: the fault
// is told to on_fault() and the loop goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "base/error.h"

namespace torii {

class EventLoop {
public:
    using Clock = std::chrono::steady_clock;
    using Callback = std::function<void()>;
    /// Told the EPOLL* bits that are ready.
    using Ready = std::function<void(std::uint32_t events)>;
    enum class TimerId : std::uint64_t {};

    /// Errc::io when the system has no descriptors left.
    static Result<std::unique_ptr<EventLoop>> make();
    /// Gives back the signals it took; those that wait unread are dropped. Watched descriptors stay open.
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    /// Calls `ready` while `fd` is ready for `events` (EPOLLIN, EPOLLOUT; level-triggered). `fd` stays the caller's and
    /// must be forgotten before it is closed. Errc::io when the system refuses, Errc::exists when it is watched
    /// already.
    Result<void> watch(int fd, std::uint32_t events, Ready ready);
    /// Waits for other events from now on. Errors and hang-ups are told even with 0. `fd` is watched.
    void change(int fd, std::uint32_t events);
    /// No callback of `fd` comes after this returns, not even one of the turn under way.
    void forget(int fd);

    /// Calls once, `delay` from now; 0 is the next turn.
    TimerId after(Clock::duration delay, Callback callback);
    /// Calls again and again, `period` (above 0) apart. Turns that came late are not made up for.
    TimerId every(Clock::duration period, Callback callback);
    /// Nothing happens when the timer is over already.
    void cancel(TimerId timer);

    /// Takes `signal` from its default action and calls back with it. Call before other threads start: they inherit
    /// the blocked signal, and one that does not would receive it instead.
    Result<void> on_signal(int signal, std::function<void(int)> callback);

    /// Called once on every turn; true when it found work, and then the next turn does not wait.
    void set_poll(std::function<bool()> poll) { poll_ = std::move(poll); }
    /// How long an idle turn waits at most, so how late the poll hook and a stop() may come. At least 1 ms.
    void set_turn(std::chrono::milliseconds turn) { turn_length_ = turn; }
    /// Told what() of an exception that a callback let out.
    void on_fault(std::function<void(std::string_view)> told) { told_fault_ = std::move(told); }

    /// Turns until stop().
    void run();
    /// One turn: waits, then descriptors, timers, poll hook.
    void turn();
    /// Ends run() after the turn under way. The one call that any thread may make.
    void stop() { stopping_.store(true, std::memory_order_relaxed); }

private:
    struct Watch {
        int fd;
        Ready ready;
    };
    struct Timer {
        Clock::duration period;  // 0: once
        Callback callback;
    };
    using Due = std::pair<Clock::time_point, std::uint64_t>;

    explicit EventLoop(int epoll) : epoll_(epoll) {}
    TimerId start(Clock::duration delay, Clock::duration period, Callback callback);
    int wait_milliseconds() const;
    void run_timers();
    void read_signals();
    template <class Function>
    void guarded(Function&& function);

    int epoll_;
    int signals_ = -1;
    // Events carry the watch's number, not its descriptor: a descriptor closed and reused within one turn is another
    // watch.
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, std::shared_ptr<Watch>> watches_;
    std::unordered_map<int, std::uint64_t> watch_of_fd_;
    std::map<Due, std::shared_ptr<Timer>> timers_;
    std::unordered_map<std::uint64_t, Clock::time_point> due_of_timer_;
    std::map<int, std::function<void(int)>> signal_callbacks_;
    std::function<bool()> poll_;
    std::function<void(std::string_view)> told_fault_;
    std::chrono::milliseconds turn_length_{1};
    bool busy_ = false;
    std::atomic<bool> stopping_{false};
};

}  // namespace torii
