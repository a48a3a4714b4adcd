"""A long thin line: a TCP proxy with a round trip of its own and a cap on each connection's rate.

slow_link.py PORT TO_PORT RTT_SECONDS BYTES_PER_SECOND: every byte comes half a round trip later, the first
of a connection one round trip more, for the handshake a real line would need.
"""

import asyncio
import sys
import time

PORT, TO = int(sys.argv[1]), int(sys.argv[2])
RTT, RATE = float(sys.argv[3]), float(sys.argv[4])
PIECE = 32 * 1024


async def carry(reader, writer, extra, rate):
    # As much may be under way as a line of this rate and length holds, and a bit.
    line = asyncio.Queue(maxsize=max(8, int(rate * RTT / PIECE) + 4))

    async def arrive():
        while True:
            due, piece = await line.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            if not piece:
                return
            writer.write(piece)
            await writer.drain()

    arrival = asyncio.create_task(arrive())
    sent = time.monotonic() + extra
    try:
        while piece := await reader.read(PIECE):
            sent = max(sent, time.monotonic()) + len(piece) / rate
            await line.put((sent + RTT / 2, piece))
        await line.put((time.monotonic() + RTT / 2, b""))
        await arrival
    except (ConnectionError, asyncio.CancelledError):
        arrival.cancel()
    finally:
        writer.close()


async def serve(reader, writer):
    try:
        there, back = await asyncio.open_connection("127.0.0.1", TO)
    except OSError:
        writer.close()
        return
    await asyncio.gather(carry(reader, back, RTT, RATE), carry(there, writer, 0, RATE))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=1024)
    print("up", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
