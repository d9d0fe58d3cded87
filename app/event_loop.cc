#include "app/event_loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string>

namespace torii {

namespace {

constexpr int max_events_a_turn = 64;

std::unexpected<Error> system_error(std::string what) {
    return fail(Errc::io, what.append(": ").append(std::strerror(errno)));
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::make() {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return system_error("epoll_create1");
    return std::unique_ptr<EventLoop>{new EventLoop{epoll}};
}

EventLoop::~EventLoop() {
    if (signals_ >= 0) {
        sigset_t taken;
        sigemptyset(&taken);
        for (const auto& [signal, callback] : signal_callbacks_) sigaddset(&taken, signal);
        signalfd_siginfo unread;
        while (read(signals_, &unread, sizeof unread) == sizeof unread) continue;
        close(signals_);
        pthread_sigmask(SIG_UNBLOCK, &taken, nullptr);
    }
    close(epoll_);
}

Result<void> EventLoop::watch(int fd, std::uint32_t events, Ready ready) {
    if (watch_of_fd_.contains(fd))
        return fail(Errc::exists, "descriptor " + std::to_string(fd) + " is watched already");
    epoll_event event{};
    event.events = events;
    event.data.u64 = ++last_id_;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
    watches_[last_id_] = std::make_shared<Watch>(fd, std::move(ready));
    watch_of_fd_[fd] = last_id_;
    return {};
}

void EventLoop::change(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = watch_of_fd_.at(fd);
    epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::forget(int fd) {
    const auto found = watch_of_fd_.find(fd);
    if (found == watch_of_fd_.end()) return;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    watches_.erase(found->second);
    watch_of_fd_.erase(found);
}

EventLoop::TimerId EventLoop::after(Clock::duration delay, Callback callback) {
    return start(delay, Clock::duration::zero(), std::move(callback));
}

EventLoop::TimerId EventLoop::every(Clock::duration period, Callback callback) {
    return start(period, period, std::move(callback));
}

EventLoop::TimerId EventLoop::start(Clock::duration delay, Clock::duration period, Callback callback) {
    const auto due = Clock::now() + delay;
    timers_[{due, ++last_id_}] = std::make_shared<Timer>(period, std::move(callback));
    due_of_timer_[last_id_] = due;
    return TimerId{last_id_};
}

void EventLoop::cancel(TimerId timer) {
    const auto id = static_cast<std::uint64_t>(timer);
    const auto found = due_of_timer_.find(id);
    if (found == due_of_timer_.end()) return;
    timers_.erase({found->second, id});
    due_of_timer_.erase(found);
}

Result<void> EventLoop::on_signal(int signal, std::function<void(int)> callback) {
    sigset_t taken;
    sigemptyset(&taken);
    for (const auto& [other, unused] : signal_callbacks_) sigaddset(&taken, other);
    if (sigaddset(&taken, signal) != 0) return system_error("signal " + std::to_string(signal));
    if (const int error = pthread_sigmask(SIG_BLOCK, &taken, nullptr); error != 0) {
        errno = error;
        return system_error("pthread_sigmask");
    }
    const int fd = signalfd(signals_, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) return system_error("signalfd");
    if (signals_ < 0) {
        signals_ = fd;
        TORII_CHECK(watch(signals_, EPOLLIN, [this](std::uint32_t) { read_signals(); }));
    }
    signal_callbacks_[signal] = std::move(callback);
    return {};
}

void EventLoop::read_signals() {
    signalfd_siginfo told;
    while (read(signals_, &told, sizeof told) == sizeof told) {
        const int signal = static_cast<int>(told.ssi_signo);
        if (const auto found = signal_callbacks_.find(signal); found != signal_callbacks_.end()) {
            const auto callback = found->second;  // it may take another callback for its own signal
            guarded([&] { callback(signal); });
        }
    }
}

void EventLoop::run() {
    while (!stopping_.load(std::memory_order_relaxed)) turn();
    stopping_.store(false, std::memory_order_relaxed);
}

void EventLoop::turn() {
    std::array<epoll_event, max_events_a_turn> events;
    const int count = epoll_wait(epoll_, events.data(), max_events_a_turn, wait_milliseconds());
    for (int i = 0; i < count; ++i) {
        const auto found = watches_.find(events[static_cast<std::size_t>(i)].data.u64);
        if (found == watches_.end()) continue;  // forgotten by a callback of this turn
        const auto watch = found->second;       // kept while it runs: it may forget itself
        guarded([&] { watch->ready(events[static_cast<std::size_t>(i)].events); });
    }
    run_timers();
    busy_ = false;
    if (poll_) guarded([&] { busy_ = poll_(); });
}

int EventLoop::wait_milliseconds() const {
    if (busy_) return 0;
    auto wait = std::max(turn_length_, std::chrono::milliseconds{1});
    if (!timers_.empty()) {
        const auto until = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now());
        wait = std::clamp(until, std::chrono::milliseconds{0}, wait);
    }
    return static_cast<int>(wait.count());
}

void EventLoop::run_timers() {
    // Timers started by a callback of this turn wait for the next one, so that a chain of them cannot hold the loop.
    const auto now = Clock::now();
    const auto last = last_id_;
    for (auto next = timers_.begin(); next != timers_.end() && next->first.first <= now;) {
        if (next->first.second > last) {
            ++next;
            continue;
        }
        const auto id = next->first.second;
        const auto timer = next->second;
        timers_.erase(next);
        if (timer->period == Clock::duration::zero()) {
            due_of_timer_.erase(id);
        } else {
            const auto due = now + timer->period;
            timers_[{due, id}] = timer;
            due_of_timer_[id] = due;
        }
        guarded(timer->callback);
        next = timers_.begin();
    }
}

template <class Function>
void EventLoop::guarded(Function&& function) {
    try {
        function();
    } catch (const std::exception& fault) {
        if (told_fault_) told_fault_(fault.what());
    } catch (...) {
        if (told_fault_) told_fault_("an exception of unknown type");
    }
}

}  // namespace torii
