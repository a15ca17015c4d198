/** For tests of your own rooms: a broker and real hosts on this machine. */
export * from "@centroid/cli/testing";
