"""proxy.py - a TCP proxy that misbehaves as networks do: it delays, it swallows, it closes, it resets, it leaves connections half open.

One thread of its own runs every proxy of a world. What a connection suffers is drawn from a seeded generator when something of it is forwarded."""
import asyncio
import collections
import random
import socket
import struct
import threading


class Link:
    """One proxied connection: two directions, each forwarded until something happens to it."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.ends = (client, server)
        self.swallowing = set()  # directions whose bytes vanish from now on

    def close(self, reset=False):
        for _, writer in self.ends:
            if reset:
                # Linger of no time: the kernel sends RST and forgets what was not sent.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()
        self.proxy.links.discard(self)

    async def pump(self, direction):
        reader, writer = self.ends[direction][0], self.ends[1 - direction][1]
        try:
            while True:
                data = await reader.read(65536)
                if not data:
                    break
                if not await self.suffer(direction):
                    return
                if direction not in self.swallowing:
                    writer.write(data)
                    await writer.drain()
        except (ConnectionError, OSError):
            pass
        if not self.swallowing:
            self.close()

    async def suffer(self, direction):
        """Something may happen before the bytes go on. Returns False when the connection is gone."""
        world = self.proxy.world
        if world.healed or world.random.random() > world.trouble:
            return True
        kind = world.random.choice(world.kinds)
        world.count[kind] += 1
        if kind == "delay":
            await asyncio.sleep(world.random.uniform(0, 0.7))
        elif kind == "drop":
            self.swallowing |= {0, 1}
        elif kind == "half-open":
            self.swallowing.add(direction)
        else:
            self.close(reset=kind == "reset")
            return False
        return True


class Proxy:
    def __init__(self, world, target):
        self.world = world
        self.target = target.rsplit(":", 1)
        self.links = set()
        self.address = None

    async def listen(self):
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]

    async def accept(self, reader, writer):
        if not self.world.healed and self.world.random.random() < self.world.trouble:
            self.world.count["refuse"] += 1
            writer.transport.abort()
            return
        try:
            other = await asyncio.open_connection(self.target[0], int(self.target[1]))
        except OSError:
            writer.transport.abort()
            return
        link = Link(self, (reader, writer), other)
        self.links.add(link)
        await asyncio.gather(link.pump(0), link.pump(1))


class Proxies:
    """Every proxy of one world, and the odds of trouble (for each piece that is forwarded)."""

    kinds = ("delay", "delay", "drop", "half-open", "cut", "reset")

    def __init__(self, seed, targets, trouble):
        self.random = random.Random("%s/proxies" % seed)
        self.trouble = trouble
        self.healed = False
        self.count = collections.Counter()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.proxies = {name: Proxy(self, address) for name, address in targets.items()}
        for proxy in self.proxies.values():
            asyncio.run_coroutine_threadsafe(proxy.listen(), self.loop).result(10)

    def address(self, name):
        return self.proxies[name].address

    async def _heal(self):
        self.healed = True
        for proxy in self.proxies.values():
            for link in list(proxy.links):
                link.close()

    def heal(self):
        """No trouble any more; what was left half open is closed, as a network that works again would make both ends find out."""
        asyncio.run_coroutine_threadsafe(self._heal(), self.loop).result(10)
