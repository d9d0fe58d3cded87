/* A program in C that gives a socket it has from its parent, standard input's neighbour by number, policies through
 * libtorii-socket, as socket/torii/ipsec.h tells: the user guide's example, grown to be driven by a test (sockets.py).
 *
 *   socket_user FD USER PATH POLICY...    PATH is toriid's control or policy socket; USER a uid to become first
 *
 * Says `held` once every policy is, or `refused: WHY` and ends with 1. Each line of standard input that comes then
 * closes the handle that was given first, and is answered by `closed`; at its end the program ends, and its handles
 * with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torii/ipsec.h"

enum { held_max = 8 };

static int refused(void) {
    printf("refused: %s\n", ipsec_strerror());
    return 1;
}

/* The handle of this policy for the socket, or -1. What the library says of the policy must be what it was made of. */
static int hold(int fd, const char* text, const char* path) {
    char* const policy = ipsec_set_policy(text, (int)strlen(text));
    if (policy == NULL) return -1;
    char* const said = ipsec_dump_policy(policy, " ");
    const int held = said != NULL && ipsec_get_policylen(policy) > 0 ? torii_bind_policy(fd, policy, path) : -1;
    free(said);
    free(policy);
    return held;
}

int main(int count, char** words) {
    if (count < 5 || count > 4 + held_max) return 2;
    const int fd = atoi(words[1]);
    const uid_t user = (uid_t)atoi(words[2]);
    int held[held_max] = {0};
    int given = 0, closed = 0;
    if (user != 0 && (setgid(user) != 0 || setuid(user) != 0)) return 3;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; given < count - 4; ++given)
        if ((held[given] = hold(fd, words[4 + given], words[3])) < 0) return refused();
    puts("held");
    for (char line[80]; fgets(line, sizeof line, stdin) != NULL;)
        if (closed < given) {
            close(held[closed++]);
            puts("closed");
        }
    return 0;
}
