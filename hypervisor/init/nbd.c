/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "init/nbd.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/nbd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "layout.h"

#define MAX_MESSAGE 1024

/* A request under way; attributes may be nested (Documentation/userspace-api/netlink). */
struct message {
	_Alignas(struct nlmsghdr) uint8_t data[MAX_MESSAGE];
	size_t len;
};

static void begin(struct message *m, uint16_t family, uint8_t command, uint8_t version)
{
	struct nlmsghdr *head = (struct nlmsghdr *)m->data;
	struct genlmsghdr *generic = (struct genlmsghdr *)(head + 1);

	memset(m, 0, sizeof(*m));
	head->nlmsg_type = family;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	generic->cmd = command;
	generic->version = version;
	m->len = NLMSG_HDRLEN + GENL_HDRLEN;
}

static struct nlattr *add(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (struct nlattr *)(m->data + m->len);

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy((uint8_t *)a + NLA_HDRLEN, data, len);
	m->len += NLA_ALIGN(a->nla_len);
	return a;
}

static struct nlattr *open_nest(struct message *m, uint16_t type)
{
	return add(m, type | NLA_F_NESTED, NULL, 0);
}

static void close_nest(const struct message *m, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)(m->data + m->len - (const uint8_t *)nest);
}

/* The value of an attribute of the answer, of at least `len` bytes; NULL: there is none.
 */
static const void *find(const struct message *m, uint16_t type, size_t len)
{
	size_t at = NLMSG_HDRLEN + GENL_HDRLEN;

	while (at + NLA_HDRLEN <= m->len) {
		const struct nlattr *a = (const struct nlattr *)(m->data + at);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > m->len - at)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type &&
		    a->nla_len >= NLA_HDRLEN + len)
			return m->data + at + NLA_HDRLEN;
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

/*
 * Sends it and reads up to its acknowledgement; an answer before that takes its place.
 * False with errno.
 */
static bool ask(int fd, struct message *m)
{
	struct nlmsghdr *head = (struct nlmsghdr *)m->data;
	struct message in, last = {.len = 0};

	head->nlmsg_len = (uint32_t)m->len;
	if (send(fd, m->data, m->len, 0) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(fd, in.data, sizeof(in.data), 0);
		const struct nlmsghdr *h = (const struct nlmsghdr *)in.data;
		const struct nlmsgerr *e = (const struct nlmsgerr *)(h + 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(*h))
			return false;
		if (h->nlmsg_type == NLMSG_ERROR) {
			if ((size_t)n < NLMSG_HDRLEN + sizeof(int32_t))
				return false;
			errno = -e->error;
			*m = last;
			return e->error == 0;
		}
		in.len = (size_t)n;
		last = in;
	}
}

/* The number that the kernel has given to "nbd"; 0 with errno. */
static uint16_t find_family(int fd)
{
	struct message m = {.len = 0};
	const uint16_t *id;
	uint16_t ret = 0;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	(void)add(&m, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME,
		  sizeof(NBD_GENL_FAMILY_NAME));
	if (!ask(fd, &m))
		return 0;
	id = find(&m, CTRL_ATTR_FAMILY_ID, sizeof(*id));
	if (id)
		memcpy(&ret, id, sizeof(ret));
	return ret;
}

static int open_family(uint16_t *family, struct error *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	*family = fd < 0 ? 0 : find_family(fd);
	if (*family)
		return fd;
	error_errno(err, "nbd", "the kernel has no network block devices");
	(void)error_remedy(err, "is its module nbd packed?");
	closep(&fd);
	return -1;
}

static void add_socket(struct message *m, int socket)
{
	const uint32_t fd = (uint32_t)socket;
	struct nlattr *list = open_nest(m, NBD_ATTR_SOCKETS);
	struct nlattr *item = open_nest(m, NBD_SOCK_ITEM);

	(void)add(m, NBD_SOCK_FD, &fd, sizeof(fd));
	close_nest(m, item);
	close_nest(m, list);
}

int nbd_connect(int socket, uint64_t size, unsigned *index, struct error *err)
{
	const uint64_t block = LAYOUT_BLOCK,
		       flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_READ_ONLY,
		       patience = NBD_PATIENCE;
	const uint32_t *got;
	struct message m = {.len = 0};
	uint16_t family;
	_cleanup_close_ int fd = open_family(&family, err);

	if (fd < 0)
		return -1;
	begin(&m, family, NBD_CMD_CONNECT, NBD_GENL_VERSION);
	(void)add(&m, NBD_ATTR_SIZE_BYTES, &size, sizeof(size));
	(void)add(&m, NBD_ATTR_BLOCK_SIZE_BYTES, &block, sizeof(block));
	(void)add(&m, NBD_ATTR_SERVER_FLAGS, &flags, sizeof(flags));
	(void)add(&m, NBD_ATTR_DEAD_CONN_TIMEOUT, &patience, sizeof(patience));
	add_socket(&m, socket);
	if (!ask(fd, &m))
		return error_errno(err, "nbd", "no device can be made");
	got = find(&m, NBD_ATTR_INDEX, sizeof(*got));
	if (!got)
		return error_set(err, ERROR_FAILED, "nbd",
				 "the kernel does not say which device it made");
	*index = *got;
	return 0;
}

int nbd_reconnect(unsigned index, int socket, struct error *err)
{
	const uint32_t number = index;
	struct message m = {.len = 0};
	uint16_t family;
	_cleanup_close_ int fd = open_family(&family, err);

	if (fd < 0)
		return -1;
	begin(&m, family, NBD_CMD_RECONFIGURE, NBD_GENL_VERSION);
	(void)add(&m, NBD_ATTR_INDEX, &number, sizeof(number));
	add_socket(&m, socket);
	return ask(fd, &m) ? 0 : error_errno(err, "nbd", "cannot be connected anew");
}
