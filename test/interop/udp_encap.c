/* Has the kernel take ESP out of UDP at port 4500, of either family, as an IKE daemon would (RFC 3948 3): a program of
 * the Linux peer, which has no such daemon. Ends with 1 if it cannot, and else never. */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

static int takes_esp(int family, const struct sockaddr* any, socklen_t octets) {
    const int fd = socket(family, SOCK_DGRAM, 0), esp = UDP_ENCAP_ESPINUDP, one = 1;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) return 0;
    return setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &esp, sizeof esp) == 0 && bind(fd, any, octets) == 0;
}

int main(void) {
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(4500)};
    const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(4500)};
    if (!takes_esp(AF_INET, (const struct sockaddr*)&any, sizeof any)) return 1;
    if (!takes_esp(AF_INET6, (const struct sockaddr*)&any6, sizeof any6)) return 1;
    if (fork() == 0)
        for (;;) pause();
    return 0;
}
