using System.Collections.Immutable;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Daemon.Hosting;

namespace Coherency.Tests.Vm;

/// <summary>
/// Stands between guests and their files: a test can do something between a request's system call and its reply, or change the
/// reply. Before requests of such an opcode their queue is handed over to another thread, so that the others of the queue, of which older
/// kernels use only one, are served.
/// </summary>
public sealed class ReplyGate
{
    private ImmutableList<Interception> _interceptions = [];

    /// <param name="Inode">What the request is about, by its number on the host: for a LOOKUP and its like, the directory.</param>
    private sealed record Interception(string Guest, FuseOpcode Opcode, ulong Inode, Func<Errno, Errno> Answer);

    public Interposition Interposition => new(
        (guest, files) => new InterceptedFileSystem(files, this, guest),
        opcode => _interceptions.Any(interception => interception.Opcode == opcode));

    /// <summary>In the place of a daemon's own, which has to be switched off.</summary>
    internal FalseChannel? Channel { get; set; }

    /// <summary>Holds the next reply back.</summary>
    /// <param name="toPass">So many are let go before it.</param>
    public HeldReply Hold(string guest, FuseOpcode opcode, ulong inode, int toPass = 0) => new(
        wait => Intercept(guest, opcode, inode, answer =>
        {
            wait();
            return answer;
        }),
        toPass);

    /// <summary>Has something done with each answer, until disposed.</summary>
    /// <param name="answer">Called by the thread that carries the request out; given the answer, returns the one to give.</param>
    public IDisposable Intercept(string guest, FuseOpcode opcode, ulong inode, Func<Errno, Errno> answer)
    {
        Interception interception = new(guest, opcode, inode, answer);
        ImmutableInterlocked.Update(ref _interceptions, list => list.Add(interception));
        return new Removal(() => ImmutableInterlocked.Update(ref _interceptions, list => list.Remove(interception)));
    }

    /// <param name="inodeOf">Asked only where a test is interested in the opcode.</param>
    internal Errno Pass(string guest, FuseOpcode opcode, Func<ulong> inodeOf, Errno answer)
    {
        Interception[] candidates = [.. _interceptions.Where(candidate => candidate.Guest == guest && candidate.Opcode == opcode)];
        if (candidates.Length == 0)
        {
            return answer;
        }

        ulong inode = inodeOf();
        return candidates.Where(candidate => candidate.Inode == inode).Aggregate(answer, (given, candidate) => candidate.Answer(given));
    }

    private sealed class Removal(Action remove) : IDisposable
    {
        public void Dispose() => remove();
    }
}
