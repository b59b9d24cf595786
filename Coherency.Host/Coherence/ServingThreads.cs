using System.Collections.Concurrent;
using Coherency.Core.Linux;

namespace Coherency.Host.Coherence;

/// <summary>
/// Which group the threads of this process make changes for. The kernel names the thread that made a change: what a thread of one
/// group does to files that another group serves too is for that group a change beside it. A thread serves one group all its life.
/// </summary>
internal static class ServingThreads
{
    private static readonly ConcurrentDictionary<int, ShareGroup> Groups = new();

    [ThreadStatic]
    private static ShareGroup? t_group;

    /// <summary>Before the first system call of a change.</summary>
    public static void Serve(ShareGroup group)
    {
        if (t_group != group)
        {
            t_group = group;
            Groups[Libc.GetThreadId()] = group;
        }
    }

    /// <summary>Before the thread ends: its number may become that of a thread of another process.</summary>
    public static void Leave()
    {
        if (t_group is not null)
        {
            t_group = null;
            Groups.TryRemove(Libc.GetThreadId(), out _);
        }
    }

    /// <summary>Does the thread with that number make changes for the group, within whose scopes they are?</summary>
    public static bool Serves(int thread, ShareGroup group) =>
        Groups.TryGetValue(thread, out ShareGroup? served) && served.IsOneWith(group);
}
