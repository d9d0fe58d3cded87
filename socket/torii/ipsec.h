/* IPsec for one socket: the calls of ipsec_set_policy(3), and one that gives a socket a policy through toriid. A C
 * interface, so that any program can use it; link with -ltorii-socket.
 *
 *     char* policy = ipsec_set_policy("out ipsec esp/transport//require", 32);
 *     int held = torii_bind_policy(fd, policy, NULL);      the socket is bound or connected already
 *     ...                                                  its packets are protected, or do not leave
 *     close(held);                                         the policy goes with its handle
 *     free(policy);
 *
 * A call that fails says why in ipsec_strerror() of the same thread. */
#ifndef TORII_IPSEC_H
#define TORII_IPSEC_H

#ifdef __cplusplus
extern "C" {
#endif

/* The policy of the first `length` octets of `text`, "in|out [priority] discard|none|entrust|bypass|ipsec REQUEST...",
 * as PF_KEY's struct sadb_x_policy with its requests. To be freed by free(3); null for a text that is none. */
char* ipsec_set_policy(const char* text, int length);

/* Octets of what ipsec_set_policy returned; -1 for what it never returned. */
int ipsec_get_policylen(const char* policy);

/* `policy` as a text again, its parts joined by `delimiter` (null: a blank). To be freed by free(3). */
char* ipsec_dump_policy(const char* policy, const char* delimiter);

/* What the last call of this thread failed for; "no error" after one that did not fail. Not to be freed. */
const char* ipsec_strerror(void);

/* Gives the IPv4 or IPv6 socket `fd` this policy for as long as the returned descriptor is open. -1: not given. `path` is toriid's control socket, or
 * the one named control.policy_socket in its configuration, which is for callers without privileges; null:
 * TORII_SOCKET of the environment, or /run/torii/control.sock. Only root may use `bypass`; discard and none are for the
 * SPD. The descriptor is closed in programs that the caller executes. */
int torii_bind_policy(int fd, const char* policy, const char* path);

#ifdef __cplusplus
}
#endif

#endif
