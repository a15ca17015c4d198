/**
 * Voice between people, peer to peer; the room only carries the offers and answers, also while it moves. Each
 * voice comes from where its speaker's head is. Both sides may offer at once ("perfect negotiation" in the
 * examples of the WebRTC recommendation).
 */
import type { Vector3 } from "three";
import { z } from "zod";
import type { PlazaRoom } from "./view.js";

const signalSchema = z.object({ from: z.string(), data: z.string() });
const contentSchema = z.union([
  z.object({ description: z.custom<RTCSessionDescriptionInit>((value) => typeof value === "object") }),
  z.object({ candidate: z.custom<RTCIceCandidateInit | null>() }),
  z.object({ bye: z.literal(true) }),
]);

/** 0.7 s at 48 kHz, so that whoever asks now and then misses no word; Web Audio keeps no more. */
const LISTENING_SAMPLES = 32_768;

interface Peer {
  connection: RTCPeerConnection;
  offering: boolean;
  /** Its answer is being taken: an offer that comes right behind it crosses nothing. */
  settling: boolean;
  ignoring: boolean;
  panner: PannerNode | undefined;
  analyser: AnalyserNode | undefined;
}

export class Voice {
  readonly #room: PlazaRoom;
  readonly #peers = new Map<string, Peer>();
  #audio: AudioContext | undefined;
  #microphone: MediaStream | undefined;

  constructor(room: PlazaRoom) {
    this.#room = room;
    room.onMessage("signal", (message: unknown) => {
      const { from, data } = signalSchema.parse(message);
      void this.#signalled(from, contentSchema.parse(JSON.parse(data)));
    });
  }

  /** Speaks to everyone who is there, or stops. @returns whether it speaks now */
  async toggle(others: Iterable<string>): Promise<boolean> {
    if (this.#microphone !== undefined) {
      for (const id of [...this.#peers.keys()]) this.drop(id);
      for (const track of this.#microphone.getTracks()) track.stop();
      this.#microphone = undefined;
      return false;
    }
    this.#audio ??= new AudioContext();
    this.#microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    for (const id of others) this.#speakTo(id, this.#peer(id));
    return true;
  }

  /** Someone new hears us too. */
  joined(id: string): void {
    if (this.#microphone !== undefined) this.#speakTo(id, this.#peer(id));
  }

  drop(id: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#send(id, { bye: true });
    this.#end(id, peer);
  }

  /** Ears and mouths are where the heads are. */
  tick(ear: Vector3, forward: Vector3, mouth: (id: string) => Vector3 | undefined): void {
    if (this.#audio === undefined) return;
    const { listener } = this.#audio;
    listener.setPosition(ear.x, ear.y, ear.z);
    listener.setOrientation(forward.x, forward.y, forward.z, 0, 1, 0);
    for (const [id, { panner }] of this.#peers) {
      const at = mouth(id);
      if (at !== undefined) panner?.setPosition(at.x, at.y, at.z);
    }
  }

  /** How loud a person was heard before distance in the last 0.7 s, 0 to 1. */
  level(id: string): number {
    const analyser = this.#peers.get(id)?.analyser;
    if (analyser === undefined) return 0;
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    return samples.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0);
  }

  #peer(id: string): Peer {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    // No STUN or TURN server: nothing outside is asked. People in one network, or with public addresses.
    const connection = new RTCPeerConnection();
    const peer: Peer = {
      connection,
      offering: false,
      settling: false,
      ignoring: false,
      panner: undefined,
      analyser: undefined,
    };
    this.#peers.set(id, peer);
    connection.onnegotiationneeded = async () => {
      peer.offering = true;
      try {
        await connection.setLocalDescription();
      } finally {
        peer.offering = false;
      }
      this.#send(id, { description: connection.localDescription });
    };
    connection.onicecandidate = ({ candidate }) => this.#send(id, { candidate });
    connection.ontrack = ({ streams: [stream] }) => stream && this.#hear(peer, stream);
    return peer;
  }

  #speakTo(_id: string, { connection }: Peer): void {
    const microphone = this.#microphone;
    if (microphone === undefined || connection.getSenders().some(({ track }) => track !== null)) return;
    for (const track of microphone.getTracks()) connection.addTrack(track, microphone);
  }

  async #signalled(from: string, content: z.infer<typeof contentSchema>): Promise<void> {
    if ("bye" in content) {
      const peer = this.#peers.get(from);
      if (peer !== undefined) this.#end(from, peer);
      return;
    }
    const peer = this.#peer(from);
    const { connection } = peer;
    if ("candidate" in content) {
      if (!peer.ignoring && content.candidate !== null) await connection.addIceCandidate(content.candidate);
      return;
    }
    const { description } = content;
    const isReady = !peer.offering && (connection.signalingState === "stable" || peer.settling);
    const collision = description.type === "offer" && !isReady;
    // Of two offers that cross, the one from the greater id stands.
    peer.ignoring = collision && this.#room.sessionId > from;
    if (peer.ignoring) return;
    peer.settling = description.type === "answer";
    try {
      await connection.setRemoteDescription(description);
    } finally {
      peer.settling = false;
    }
    if (description.type !== "offer") return;
    this.#speakTo(from, peer);
    await connection.setLocalDescription();
    this.#send(from, { description: connection.localDescription });
  }

  #hear(peer: Peer, stream: MediaStream): void {
    this.#audio ??= new AudioContext();
    // Chromium lets a remote stream flow into Web Audio only while an element plays it.
    const pump = new Audio();
    pump.srcObject = stream;
    pump.muted = true;
    void pump.play();
    peer.panner = new PannerNode(this.#audio, { panningModel: "HRTF", refDistance: 1, rolloffFactor: 1.2 });
    peer.analyser = new AnalyserNode(this.#audio, { fftSize: LISTENING_SAMPLES });
    const source = this.#audio.createMediaStreamSource(stream);
    source.connect(peer.analyser);
    source.connect(peer.panner).connect(this.#audio.destination);
  }

  #end(id: string, { connection, panner }: Peer): void {
    panner?.disconnect();
    connection.close();
    this.#peers.delete(id);
  }

  #send(to: string, content: object): void {
    this.#room.send("signal", { to, data: JSON.stringify(content) });
  }
}
