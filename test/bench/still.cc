#include "test/bench/still.h"

#include <linux/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>

#include "test/support/counted.h"

namespace {

thread_local std::uint64_t system_calls = 0;
thread_local volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;

/// A system call was refused: count it, let everything pass from now on, and go back to the instruction (of two octets)
/// with the number that it had.
void on_refused(int, siginfo_t* info, void* context) {
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    ++system_calls;
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RIP] -= 2;
    registers[REG_RAX] = info->si_syscall;
}

}  // namespace

namespace torii::bench {

namespace {
bool dispatch_system_calls() {
    struct sigaction action {};
    action.sa_sigaction = on_refused;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, nullptr);
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) == 0;
}
}  // namespace

Watch::Watch() {
    static thread_local const bool dispatches = dispatch_system_calls();
    system_calls = 0;
    test::start_counting();
    if (dispatches) selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

Disturbances Watch::end() {
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    const test::Counted counted = test::stop_counting();
    return {counted.allocations, counted.locks, system_calls};
}

bool watching_works() {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    Watch watch;
    void* volatile something = std::malloc(1);
    pthread_mutex_lock(&mutex);
    syscall(SYS_getppid);
    const Disturbances found = watch.end();
    pthread_mutex_unlock(&mutex);
    std::free(something);
    return found.allocations == 1 && found.locks == 1 && found.system_calls == 1;
}

}  // namespace torii::bench
