// An HTTP server that receives and sends through io_uring, by the kernel's interface itself (io_uring(7)), for the tests.
// Its argument says how: "inline" on the thread that submits, "workers" on the kernel's worker threads, "files" by the
// opcodes for files. It listens on loopback and prints "ready ADDRESS". Where the kernel has no io_uring for it, it says
// so and ends with status 77.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABSENT 77

struct way {
    const char *name;
    unsigned char receive, send, flags;
};

static const struct way ways[] = {
    { "inline", IORING_OP_RECV, IORING_OP_SEND, 0 },
    { "workers", IORING_OP_RECV, IORING_OP_SEND, IOSQE_ASYNC },
    { "files", IORING_OP_READ, IORING_OP_WRITE, 0 },
};

struct ring {
    int fd;
    struct io_uring_params params;
    char *submissions, *completions;
    struct io_uring_sqe *entries;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *map(const struct ring *ring, size_t length, off_t offset) {
    void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, offset);
    if (at == MAP_FAILED)
        fail("mmap");
    return at;
}

static struct ring set_up(void) {
    struct ring ring = { 0 };
    const struct io_uring_params *params = &ring.params;
    ring.fd = syscall(SYS_io_uring_setup, 1, &ring.params);
    if (ring.fd < 0) {
        fprintf(stderr, "io_uring_setup: %s\n", strerror(errno));
        exit(ABSENT);
    }
    ring.submissions = map(&ring, params->sq_off.array + params->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    ring.completions = map(&ring, params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring.entries = map(&ring, params->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    return ring;
}

static unsigned *field(char *ring, unsigned offset) { return (unsigned *)(ring + offset); }

// Submits one operation, waits for it, and returns its result: bytes, or a negative error number.
static int transfer(struct ring *ring, const struct way *way, unsigned char opcode, int socket, void *bytes, size_t length) {
    const struct io_sqring_offsets *sq = &ring->params.sq_off;
    const struct io_cqring_offsets *cq = &ring->params.cq_off;
    unsigned tail = *field(ring->submissions, sq->tail);
    unsigned slot = tail & *field(ring->submissions, sq->ring_mask);
    ring->entries[slot] = (struct io_uring_sqe){
        .opcode = opcode, .flags = way->flags, .fd = socket, .addr = (unsigned long)bytes, .len = length
    };
    field(ring->submissions, sq->array)[slot] = slot;
    __atomic_store_n(field(ring->submissions, sq->tail), tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        fail("io_uring_enter");
    unsigned head = *field(ring->completions, cq->head);
    if (head == __atomic_load_n(field(ring->completions, cq->tail), __ATOMIC_ACQUIRE)) {
        fprintf(stderr, "io_uring_enter: returned before the operation was complete\n");
        exit(1);
    }
    struct io_uring_cqe *done = (struct io_uring_cqe *)(ring->completions + cq->cqes) + (head & *field(ring->completions, cq->ring_mask));
    int result = done->res;
    __atomic_store_n(field(ring->completions, cq->head), head + 1, __ATOMIC_RELEASE);
    return result;
}

// Answers requests without a body until the client closes.
static void serve(struct ring *ring, const struct way *way, int socket) {
    static char request[4096];
    char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    size_t have = 0;
    for (;;) {
        int received = transfer(ring, way, way->receive, socket, request + have, sizeof(request) - have);
        if (received <= 0)
            return;
        have += received;
        if (have < 4 || memcmp(request + have - 4, "\r\n\r\n", 4))
            continue;
        int length = sizeof(answer) - 1;
        if (transfer(ring, way, way->send, socket, answer, length) != length)
            return;
        have = 0;
    }
}

static int listen_on_loopback(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        fail("listen");
    printf("ready 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **arguments) {
    const struct way *way = NULL;
    for (size_t i = 0; count == 2 && i < sizeof(ways) / sizeof(*ways); i++)
        if (!strcmp(arguments[1], ways[i].name))
            way = &ways[i];
    if (!way) {
        fprintf(stderr, "usage: server inline|workers|files\n");
        return 2;
    }
    struct ring ring = set_up();
    int listener = listen_on_loopback();
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        if (socket < 0)
            fail("accept");
        serve(&ring, way, socket);
        close(socket);
    }
}
