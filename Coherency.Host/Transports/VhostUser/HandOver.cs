using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Before which requests a queue's thread hands the queue over to another: those that would hold it up. Whether an fsync would is
/// learnt, as on a file system in memory it takes less time than handing over.
/// </summary>
/// <param name="alsoDue">See <see cref="QueueOptions.HandsOver"/>.</param>
internal sealed class HandOver(Func<FuseOpcode, bool>? alsoDue = null)
{
    /// <summary>So many fsyncs in a row have to be quick before the queue is no more handed over.</summary>
    internal const int QuickInARow = 64;

    /// <summary>An fsync that takes longer is not quick: waking another thread takes some ten microseconds.</summary>
    internal static readonly TimeSpan Quick = TimeSpan.FromMicroseconds(50);

    private int _quickInARow;

    /// <summary>
    /// Whether the queue is to be handed over. Not for READ and WRITE, however large: a second thread that copies costs more than it
    /// gains (docs/performance.md). A READ that has to wait for the disk says so itself (<see cref="FuseChannel.StepAside"/>).
    /// </summary>
    public bool IsDue(FuseOpcode opcode) => HoldsUp(opcode) || alsoDue?.Invoke(opcode) == true;

    /// <summary>Carries a loaded request out, on whichever thread.</summary>
    public void Execute(FuseSession session, FuseRequest request, RequestRecorder recorder)
    {
        if (!IsFsync(request.Opcode))
        {
            session.Execute(request, recorder);
            return;
        }

        long begin = Stopwatch.GetTimestamp();
        session.Execute(request, recorder);
        LearnFsync(Stopwatch.GetElapsedTime(begin));
    }

    /// <summary>Notes how long an fsync took.</summary>
    internal void LearnFsync(TimeSpan took)
    {
        if (took > Quick)
        {
            Volatile.Write(ref _quickInARow, 0);
        }
        else if (Volatile.Read(ref _quickInARow) < QuickInARow)
        {
            Interlocked.Increment(ref _quickInARow);
        }
    }

    private bool HoldsUp(FuseOpcode opcode) => IsFsync(opcode)
        ? Volatile.Read(ref _quickInARow) < QuickInARow
        : opcode is FuseOpcode.SyncFs or FuseOpcode.Fallocate or FuseOpcode.SetupMapping
            or FuseOpcode.CopyFileRange or FuseOpcode.CopyFileRange64;

    private static bool IsFsync(FuseOpcode opcode) => opcode is FuseOpcode.Fsync or FuseOpcode.FsyncDir;
}
