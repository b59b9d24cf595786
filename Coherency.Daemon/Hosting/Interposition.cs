using Coherency.Core.Fuse;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Daemon.Hosting;

/// <summary>What stands between guests and their files. Without one there is nothing.</summary>
/// <param name="Wrap">Given a guest's name and the file system of its new conversation, returns the one that is served.</param>
/// <param name="HandsOver">Whether what stands there may hold requests of this opcode up: <see cref="QueueOptions.HandsOver"/>.</param>
public sealed record Interposition(Func<string, IFileSystem, IFileSystem> Wrap, Func<FuseOpcode, bool> HandsOver);
