#include "test/support/counted.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstddef>

namespace {

thread_local bool counting = false;
thread_local torii::test::Counted seen;

void allocated() { seen.allocations += counting; }

/// The C library's own function for a lock of this type.
template <class Lock>
auto next(const char* name) {
    return reinterpret_cast<int (*)(Lock*)>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    static const auto lock = next<pthread_mutex_t>("pthread_mutex_lock");
    seen.locks += counting;
    return lock(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* mutex) noexcept {
    static const auto lock = next<pthread_rwlock_t>("pthread_rwlock_rdlock");
    seen.locks += counting;
    return lock(mutex);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* mutex) noexcept {
    static const auto lock = next<pthread_rwlock_t>("pthread_rwlock_wrlock");
    seen.locks += counting;
    return lock(mutex);
}
}

#ifdef __SANITIZE_ADDRESS__

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
namespace {
[[maybe_unused]] const int hooks = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { allocated(); }, [](const volatile void*) {});
}

#else

// The C library's own, under the names by which it offers them to whoever counts.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t octets) noexcept {
    allocated();
    return __libc_malloc(octets);
}
void* calloc(std::size_t count, std::size_t octets) noexcept {
    allocated();
    return __libc_calloc(count, octets);
}
void* realloc(void* old, std::size_t octets) noexcept {
    allocated();
    return __libc_realloc(old, octets);
}
void* aligned_alloc(std::size_t alignment, std::size_t octets) noexcept {
    allocated();
    return __libc_memalign(alignment, octets);
}
int posix_memalign(void** at, std::size_t alignment, std::size_t octets) noexcept {
    allocated();
    *at = __libc_memalign(alignment, octets);
    return *at == nullptr ? ENOMEM : 0;
}
}

#endif

namespace torii::test {

void start_counting() {
    seen = {};
    counting = true;
}

Counted stop_counting() {
    counting = false;
    return seen;
}

}  // namespace torii::test
