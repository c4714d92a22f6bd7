/* One TCP connection from an lwIP stack over a TAP device, kept alive by
 * lwIP's own keepalive. The TAP device is named by PRECONFIGURED_TAPIF.
 *
 * Usage: lwip-prober OWN_ADDRESS OWN_PORT PEER_ADDRESS PEER_PORT IDLE INTERVAL COUNT
 * (times in seconds). Ends when the connection does. */

#include <stdio.h>
#include <stdlib.h>

#include <lwip/ip4_addr.h>
#include <lwip/netif.h>
#include <lwip/sockets.h>
#include <lwip/tcpip.h>
#include <lwip/sys.h>
#include <netif/tapif.h>

static struct netif wire;
static ip4_addr_t own, mask, gateway;

static void bring_up(void *done)
{
    netif_add(&wire, &own, &mask, &gateway, NULL, tapif_init, tcpip_input);
    netif_set_default(&wire);
    netif_set_up(&wire);
    netif_set_link_up(&wire);
    sys_sem_signal((sys_sem_t *)done);
}

static struct sockaddr_in at(const char *address, const char *port)
{
    struct sockaddr_in where = {0};
    ip4_addr_t ip;
    ip4addr_aton(address, &ip);
    where.sin_family = AF_INET;
    where.sin_port = lwip_htons((uint16_t)atoi(port));
    where.sin_addr.s_addr = ip.addr;
    return where;
}

static int set(int sock, int level, int option, int value)
{
    return lwip_setsockopt(sock, level, option, &value, sizeof value);
}

int main(int count, char **argument)
{
    static const char hello[] = "hello from lwIP";
    char octets[256];
    sys_sem_t ready;
    int sock;

    if (count != 8) {
        fprintf(stderr, "seven arguments are needed\n");
        return 2;
    }
    ip4addr_aton(argument[1], &own);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&gateway);
    sys_sem_new(&ready, 0);
    tcpip_init(bring_up, &ready);
    sys_arch_sem_wait(&ready, 0);

    struct sockaddr_in here = at(argument[1], argument[2]);
    struct sockaddr_in there = at(argument[3], argument[4]);
    sock = lwip_socket(AF_INET, SOCK_STREAM, 0);
    if (sock < 0 || lwip_bind(sock, (struct sockaddr *)&here, sizeof here) != 0 ||
        lwip_connect(sock, (struct sockaddr *)&there, sizeof there) != 0) {
        fprintf(stderr, "no connection\n");
        return 1;
    }
    if (set(sock, IPPROTO_TCP, TCP_KEEPIDLE, atoi(argument[5])) != 0 ||
        set(sock, IPPROTO_TCP, TCP_KEEPINTVL, atoi(argument[6])) != 0 ||
        set(sock, IPPROTO_TCP, TCP_KEEPCNT, atoi(argument[7])) != 0 ||
        set(sock, SOL_SOCKET, SO_KEEPALIVE, 1) != 0) {
        fprintf(stderr, "no keepalive\n");
        return 1;
    }
    lwip_write(sock, hello, sizeof hello - 1);
    while (lwip_read(sock, octets, sizeof octets) > 0) {
    }
    return 0;
}
