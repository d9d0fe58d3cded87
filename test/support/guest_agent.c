/* What a user-mode Linux guest does for the test that has made it (uml.py), with as few processes as can be: each costs
 * there what a hundred cost here.
 *
 *   guest-agent load FILE    loads the kernel modules that FILE lists, a path a line, in its order
 *   guest-agent serve TTY    does what comes by that line, one command after the other
 *
 * A command in: `NUMBER OCTETS` and a newline, then so many octets of shell. Its answer: `NUMBER STATUS OCTETS` and a
 * newline, then what the command has printed. One without any of the shell's own characters is started without a shell,
 * and `xfrm-states`, which a test asks for all the time, without any process: an SA a line, as show() prints it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { command_octets_max = 4096, words_max = 256 };
static const char output_file[] = "/tmp/.output";
/* busybox's shell would take its own ip, which knows no xfrm, before any on the PATH. */
static const char shell_begin[] = "ip() { /usr/sbin/ip \"$@\"; }\n";

static int load(const char* list) {
    FILE* const paths = fopen(list, "re");
    char path[256];
    int failed = paths == NULL;
    while (paths != NULL && fgets(path, sizeof path, paths) != NULL) {
        path[strcspn(path, "\n")] = 0;
        const int module = open(path, O_RDONLY | O_CLOEXEC);
        if (module < 0 || syscall(SYS_finit_module, module, "", 0) != 0) {
            fprintf(stderr, "%s: not loaded\n", path);
            failed = 1;
        }
        close(module);
    }
    return failed;
}

/* SOURCE DESTINATION PROTOCOL SPI MODE OCTETS PACKETS ESN, all but the addresses as numbers. */
static void show(int output, const struct xfrm_usersa_info* sa) {
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    inet_ntop(sa->family, &sa->saddr, source, sizeof source);
    inet_ntop(sa->family, &sa->id.daddr, destination, sizeof destination);
    dprintf(output, "%s %s %u %u %u %llu %llu %u\n", source, destination, sa->id.proto, ntohl(sa->id.spi), sa->mode,
            (unsigned long long)sa->curlft.bytes, (unsigned long long)sa->curlft.packets,
            sa->flags & XFRM_STATE_ESN ? 1 : 0);
}

/* Writes the kernel's SAs. */
static int show_states(int output) {
    struct {
        struct nlmsghdr head;
        struct xfrm_usersa_id none;
    } ask = {
        .head = {.nlmsg_len = sizeof ask, .nlmsg_type = XFRM_MSG_GETSA, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    static char answer[65536];
    const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
    int status = netlink < 0 || send(netlink, &ask, sizeof ask, 0) < 0;
    for (int more = !status; more;) {
        int octets = (int)recv(netlink, answer, sizeof answer, 0);
        if (octets <= 0) status = 1;
        more = octets > 0;
        for (const struct nlmsghdr* head = (const struct nlmsghdr*)answer; NLMSG_OK(head, octets);
             head = NLMSG_NEXT(head, octets)) {
            if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) more = 0;
            if (head->nlmsg_type == NLMSG_ERROR) status = 1;
            if (head->nlmsg_type == XFRM_MSG_NEWSA) show(output, NLMSG_DATA(head));
        }
    }
    close(netlink);
    return status;
}

static int read_all(int line, char* octets, size_t count) {
    while (count > 0) {
        const ssize_t some = read(line, octets, count);
        if (some <= 0) return 0;
        octets += some;
        count -= (size_t)some;
    }
    return 1;
}

static int read_head(int line, unsigned* number, size_t* octets) {
    char head[64];
    for (size_t at = 0; at + 1 < sizeof head; at++) {
        if (!read_all(line, head + at, 1)) return 0;
        if (head[at] != '\n') continue;
        head[at] = 0;
        return sscanf(head, "%u %zu", number, octets) == 2 && *octets <= command_octets_max;
    }
    return 0;
}

/* Starts the command with its output in the file, and waits for it; returns its status as a shell would. */
static int perform(char* command, int output) {
    static char script[sizeof shell_begin + command_octets_max];
    if (strcmp(command, "xfrm-states") == 0) return show_states(output);
    char* words[words_max + 1] = {"sh", "-c", script, NULL};
    const int plain = strpbrk(command, "|&;<>()$`\\\"'*?[]#~=%!{}\n") == NULL;
    if (plain) {
        int count = 0;
        for (char* word = strtok(command, " "); word != NULL && count < words_max; word = strtok(NULL, " "))
            words[count++] = word;
        words[count] = NULL;
        if (count == 0) return 0;
    } else {
        strcpy(script, shell_begin);
        strcat(script, command);
    }
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    pid_t child;
    const int refused = posix_spawnp(&child, words[0], &files, NULL, words, environ);
    posix_spawn_file_actions_destroy(&files);
    if (refused != 0) {
        dprintf(output, "%s: %s\n", words[0], strerror(refused));
        return 127;
    }
    int status = 0;
    for (pid_t ended = 0; ended != child;) ended = waitpid(-1, &status, 0); /* others are children of init: of us */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int serve(const char* tty) {
    const int line = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios raw;
    if (line < 0 || tcgetattr(line, &raw) != 0) return 1;
    cfmakeraw(&raw);
    tcsetattr(line, TCSANOW, &raw);
    dprintf(line, "ready\n");
    static char command[command_octets_max + 1];
    unsigned number = 0;
    for (size_t octets = 0; read_head(line, &number, &octets) && read_all(line, command, octets);) {
        command[octets] = 0;
        unlink(output_file); /* an old one may still belong to a program in the background */
        const int output = open(output_file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        const int status = perform(command, output);
        struct stat told = {0};
        fstat(output, &told);
        dprintf(line, "%u %d %lld\n", number, status, (long long)told.st_size);
        off_t from = 0;
        char piece[4096];
        for (ssize_t some; from < told.st_size && (some = pread(output, piece, sizeof piece, from)) > 0; from += some) {
            if (some > told.st_size - from) some = (ssize_t)(told.st_size - from);
            for (ssize_t sent = 0, now; sent < some; sent += now)
                if ((now = write(line, piece + sent, (size_t)(some - sent))) <= 0) return 1;
        }
        close(output);
    }
    return 0;
}

int main(int count, char** words) {
    if (count == 3 && strcmp(words[1], "load") == 0) return load(words[2]);
    if (count == 3 && strcmp(words[1], "serve") == 0) return serve(words[2]);
    fprintf(stderr, "guest-agent load FILE | serve TTY\n");
    return 2;
}
