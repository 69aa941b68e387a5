// Preloaded (--import) into a program that was started with an IPC channel: when its parent is gone, however that went, it ends at once.
// A parent that is killed can pass nothing on, and its child would go on unseen, with its ports and its data.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// The program ends when it has nothing to do any more, as without the channel.
process.channel?.unref();
