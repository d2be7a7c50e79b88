import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Socket } from "node:net";

/** A sandbox that holds more descriptors open than this keeps itself from being let in. */
const mostDescriptors = 50_000;

/**
 * Whether the other end of a connection on this machine's loopback belongs to a process of a process namespace.
 * @param init a process of that namespace.
 */
export function isPeerIn(init: number, { remoteAddress, remotePort, localPort }: Socket): boolean {
  if (remoteAddress === undefined || remotePort === undefined || localPort === undefined) return false;
  const inode = socketInode(remoteAddress, remotePort, localPort);
  return inode !== undefined && holds(init, `socket:[${inode}]`);
}

/**
 * The inode of the socket that is bound to `address:port` and connected to `peerPort`, from proc(5)'s tables of TCP
 * sockets. A program that speaks IPv6 has its IPv4 connections in the second one.
 */
function socketInode(address: string, port: number, peerPort: number): string | undefined {
  const v4 = hexAddress(address.replace(/^::ffff:/, ""));
  const local = `${v4}:${hexPort(port)}`;
  const mapped = `0000000000000000FFFF0000${local}`;
  for (const table of ["tcp", "tcp6"]) {
    for (const line of readLines(`/proc/self/net/${table}`)) {
      const fields = line.trim().split(/\s+/);
      const [, from = "", to = ""] = fields;
      const isIt = (from === local || from === mapped) && to.endsWith(`:${hexPort(peerPort)}`);
      // One that its program has closed has none.
      if (isIt && fields[9] !== "0") return fields[9];
    }
  }
  return undefined;
}

/** As the kernel prints it: the bytes of a word in the order of this machine, which is little-endian. */
function hexAddress(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return bytes.toReversed().join("").toUpperCase();
}

function hexPort(port: number): string {
  return port.toString(16).padStart(4, "0").toUpperCase();
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

function holds(init: number, socket: string): boolean {
  const namespace = linkAt(`/proc/${init}/ns/pid`);
  if (namespace === undefined) return false;
  let looked = 0;
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid) || linkAt(`/proc/${pid}/ns/pid`) !== namespace) continue;
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      looked += 1;
      if (looked > mostDescriptors) return false;
      if (linkAt(`/proc/${pid}/fd/${fd}`) === socket) return true;
    }
  }
  return false;
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
