#include "app/ike/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace torii::config {
namespace {

struct Descriptor {
    const int fd;
    ~Descriptor() {
        if (fd >= 0) close(fd);
    }
};

std::unexpected<Error> unreadable(const std::string& path) {
    return fail(Errc::io, path + " cannot be read: " + std::strerror(errno));
}

/// Why such a file is nobody's secret; nothing when it is one.
std::optional<std::string> looseness(const struct stat& about, const std::string& path) {
    if (!S_ISREG(about.st_mode)) return path + " is no regular file";
    const uid_t us = geteuid();
    if (about.st_uid != us && about.st_uid != 0)
        return path + " belongs to user " + std::to_string(about.st_uid) + ", who could change it: chown " +
               std::to_string(us) + " " + path;
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return path + " is open to others than its owner: chmod 600 " + path;
    return std::nullopt;
}

/// What is left of the file, in memory that is wiped when it is not handed on. The room is taken at once: a string that
/// grows leaves copies behind.
Result<SecretText> read_all(int fd, const std::string& path) {
    std::string text;
    text.reserve(longest_key_file + 1);
    std::array<char, 4096> octets;
    ssize_t count = 0;
    while ((count = read(fd, octets.data(), octets.size())) > 0 && text.size() + count <= longest_key_file)
        text.append(octets.data(), static_cast<std::size_t>(count));
    const int problem = errno;
    wipe(std::as_writable_bytes(std::span{octets}));
    SecretText whole{std::move(text)};
    errno = problem;
    if (count < 0) return unreadable(path);
    if (count > 0) return fail(Errc::no_room, path + " is longer than a megabyte: it is no file of keys");
    return whole;
}

}  // namespace

Result<void> check_secret(int fd, const std::string& path) {
    struct stat about {};  // of what was opened: a name may come to mean another file
    if (fd < 0 || fstat(fd, &about) != 0) return unreadable(path);
    if (auto loose = looseness(about, path)) return fail(Errc::denied, *std::move(loose));
    return {};
}

Result<SecretText> read_secret_file(const std::string& path) {
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    TORII_CHECK(check_secret(file.fd, path));
    return read_all(file.fd, path);
}

Result<std::string> read_public_file(const std::string& path) {
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat about {};
    if (file.fd < 0 || fstat(file.fd, &about) != 0) return unreadable(path);
    if (!S_ISREG(about.st_mode)) return fail(Errc::io, path + " is no regular file");
    TORII_TRY(const SecretText text, read_all(file.fd, path));
    return text.view();
}

}  // namespace torii::config
