// verdict.h: what became of an input from the wire. A verdict is also the index of its counter and,
// through hail_verdict_name, its name in logs and metrics: a drop nobody counts cannot be added.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_VERDICT_H
#define HAIL_PROTO_VERDICT_H

#define HAIL_VERDICTS(X)                                                                           \
    X(ACCEPT, "accept")                /* taken; state may have changed */                         \
    X(DROP_FRAME, "frame")             /* a frame's length is 0 or above the maximum */            \
    X(DROP_SHORT, "short")             /* fewer bytes than its form needs */                       \
    X(DROP_MALFORMED, "malformed")     /* a field is outside its range */                          \
    X(DROP_TYPE, "type")               /* no such message type */                                  \
    X(DROP_UNEXPECTED, "unexpected")   /* not allowed in this state, or not from this side */      \
    X(DROP_NO_KEY, "no_key")           /* protected, and there is no key yet */                    \
    X(DROP_FORGED, "forged")           /* the HMAC does not verify */                              \
    X(DROP_PADDING, "padding")         /* not whole blocks, or wrong padding */                    \
    X(DROP_UNPROTECTED, "unprotected") /* a handshake message with less than both flags */         \
    X(DROP_POINT, "point")             /* a public part that is no usable point */                 \
    X(DROP_CONFIG, "config")           /* the peer's configuration has another hash */             \
    X(DROP_CERTIFICATE, "certificate") /* the server's certificate is not believed */              \
    X(DROP_SIGNATURE, "signature")     /* the key exchange is not signed by the certificate */     \
    X(DROP_FLOOR, "floor")             /* less protection than its name, RPC or channel takes */   \
    X(DROP_NAME, "name")               /* a message or RPC name nobody registered */               \
    X(DROP_CALL, "call")               /* a response to no call of ours, or weaker than it */      \
    X(DROP_TOO_LARGE, "too_large")     /* data, a payload or iterations above their maximum */     \
    X(DROP_OLD, "old")                 /* newer ones have come on its sequenced channel */         \
    X(DROP_REPLAY, "replay")           /* taken already, too old, or said again too soon */        \
    X(DROP_EPOCH, "epoch")             /* of an epoch whose keys are gone, or not tried now */     \
    X(DROP_FALSE_ACK, "false_ack")     /* acknowledges a packet that was never sent */             \
    X(DROP_CONNECTION, "connection")   /* for a connection that is not there */                    \
    X(DROP_VERSION, "version")         /* a hello of another version; refused */                   \
    X(DROP_PATTERN, "pattern")         /* a key exchange that the server is not set up for */      \
    X(DROP_POLICY, "policy")           /* the peer's names, floors or channels differ */           \
    X(DROP_STATIC, "static")           /* made for a static key that is not ours any more */       \
    X(DROP_COOKIE, "cookie")           /* a cookie that is wrong or too old */                     \
    X(DROP_RATE, "rate")               /* its source prefix asks too often */                      \
    X(DROP_PREFIX, "prefix")           /* its source prefix has all the connections it may */      \
    X(DROP_TOO_FAST, "too_fast")       /* more bytes than the connection may send */               \
    X(DROP_CROWDED, "crowded")         /* parts of messages that its packet has too many of */     \
    X(DROP_BUDGET, "budget")           /* no time for more handshakes in this turn */              \
    X(DROP_REFUSED, "refused")         /* client: the server will not have us */                   \
    X(DROP_TICKET_KEY, "ticket_key")   /* made with a ticket key that is none of ours */           \
    X(DROP_TICKET_OLD, "ticket_old")   /* a ticket whose time is over */                           \
    X(DROP_TICKET_FORGED, "ticket_forged") /* not ours, changed, or not its owner's */

#define HAIL_VERDICT_ENUM(id, name) HAIL_##id,
enum hail_verdict {
    HAIL_VERDICTS(HAIL_VERDICT_ENUM) HAIL_VERDICT_COUNT
};
#undef HAIL_VERDICT_ENUM

// hail_verdict_name returns the verdict's name in counters; never NULL.
const char *hail_verdict_name(enum hail_verdict verdict);

#endif
