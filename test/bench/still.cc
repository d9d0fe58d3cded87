#include "test/bench/still.h"

#include <dlfcn.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>

namespace {

thread_local torii::bench::Disturbances seen;
thread_local volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;

/// A system call was refused: count it, let everything pass from now on, and go back to the instruction (of two octets)
/// with the number that it had.
void on_refused(int, siginfo_t* info, void* context) {
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    ++seen.system_calls;
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RIP] -= 2;
    registers[REG_RAX] = info->si_syscall;
}

}  // namespace

#ifndef __SANITIZE_ADDRESS__

namespace {
template <class Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}
}  // namespace

// The C library's own, under the names by which it offers them to whoever counts.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t octets) noexcept {
    ++seen.allocations;
    return __libc_malloc(octets);
}
void* calloc(std::size_t count, std::size_t octets) noexcept {
    ++seen.allocations;
    return __libc_calloc(count, octets);
}
void* realloc(void* old, std::size_t octets) noexcept {
    ++seen.allocations;
    return __libc_realloc(old, octets);
}
void* aligned_alloc(std::size_t alignment, std::size_t octets) noexcept {
    ++seen.allocations;
    return __libc_memalign(alignment, octets);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    static const auto lock = next<int (*)(pthread_mutex_t*)>("pthread_mutex_lock");
    ++seen.locks;
    return lock(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* mutex) noexcept {
    static const auto lock = next<int (*)(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
    ++seen.locks;
    return lock(mutex);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* mutex) noexcept {
    static const auto lock = next<int (*)(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
    ++seen.locks;
    return lock(mutex);
}
}

#endif

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
    seen = {};
    if (dispatches) selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

Disturbances Watch::end() {
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    return seen;
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
