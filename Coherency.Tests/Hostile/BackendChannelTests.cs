using System.Collections.Concurrent;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Host.Transports.VhostUser;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>What the daemon asks of a front end that answers in order, late, never, or something else.</summary>
public sealed class BackendChannelTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly VhostUserConnection _frontend;
    private readonly BackendChannel _channel;
    private readonly BlockingCollection<string> _failures = [];
    private readonly BlockingCollection<(ulong Message, Errno Answer)> _answers = [];
    private readonly VhostUserMessage _message = new();

    public BackendChannelTests()
    {
        LinuxException.Check(Libc.SocketPair(SocketFlags.SOCK_STREAM, out int ours, out int theirs), "socketpair");
        _frontend = new VhostUserConnection(theirs);
        _channel = new BackendChannel(new VhostUserConnection(ours), "tested", _failures.Add);
    }

    public void Dispose()
    {
        _channel.Dispose();
        _frontend.Dispose();
        _message.Dispose();
        _failures.Dispose();
        _answers.Dispose();
    }

    /// <summary>The second is sent before the first is answered.</summary>
    [Fact]
    public void Answers_are_told_in_the_order_of_the_messages()
    {
        for (ulong i = 0; i < 100; i++)
        {
            Assert.True(TryAsk(i));
        }

        for (ulong i = 0; i < 100; i++)
        {
            Assert.True(_frontend.Receive(_message));
            Assert.Equal((i, true), (_message.ReadBody<vhost_user_mmap>().shm_offset, _message.NeedsReply));
        }

        for (ulong i = 0; i < 100; i++)
        {
            Answer(i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : unchecked((ulong)-(long)Errno.ENOSPC));
        }

        for (ulong i = 0; i < 100; i++)
        {
            Assert.True(_answers.TryTake(out (ulong Message, Errno Answer) told, Patience));
            Assert.Equal((i, i % 3 == 0 ? Errno.None : i % 3 == 1 ? Errno.EIO : Errno.ENOSPC), told);
        }
    }

    [Fact]
    public void A_descriptor_goes_with_the_message_and_is_closed()
    {
        int fd = LinuxException.Check(Libc.MemFdCreate("sent-with-message", MemoryFlags.MFD_CLOEXEC), "memfd_create");
        Assert.True(_channel.TryAsk(VhostUserBackendRequest.ShmemMap, default, fd, _ => { }));
        Assert.True(_frontend.Receive(_message));
        Assert.Equal(1, _message.FdCount);
        int taken = _message.TakeFd(0);
        Assert.True(SpinWait.SpinUntil(() => CountOpen() == 1, Patience));
        Libc.Close(taken);
        Assert.Equal(0, CountOpen());

        static int CountOpen() => Directory.GetFiles("/proc/self/fd")
            .Count(path => new FileInfo(path).LinkTarget == "/memfd:sent-with-message (deleted)");
    }

    /// <summary>It reads nothing: neither who asks nor who ends the channel waits for it.</summary>
    [Fact]
    public void A_silent_front_end_costs_a_bounded_queue()
    {
        ulong asked = 0;
        while (TryAsk(asked))
        {
            asked++;
            Assert.True(asked <= BackendChannel.PendingMax);
        }

        Assert.Equal((ulong)BackendChannel.PendingMax, asked);
        _channel.Dispose();
        for (ulong i = 0; i < asked; i++)
        {
            Assert.True(_answers.TryTake(out (ulong Message, Errno Answer) told, Patience));
            Assert.Equal((i, Errno.ENOTCONN), told);
        }

        Assert.False(TryAsk(asked));
        Assert.Empty(_failures);
    }

    [Fact]
    public void Who_waits_is_told_that_the_front_end_has_gone()
    {
        Assert.True(TryAsk(1));
        Assert.True(_frontend.Receive(_message));
        _frontend.Shutdown();
        Assert.True(_answers.TryTake(out (ulong Message, Errno Answer) told, Patience));
        Assert.Equal((1UL, Errno.ENOTCONN), told);
        Assert.True(_failures.TryTake(out string? failure, Patience));
        Assert.Contains("closed the back-end channel", failure, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(VhostUserBackendRequest.ShmemMap, VhostUserHeaderFlags.Reply, false)]
    [InlineData(VhostUserBackendRequest.ShmemUnmap, VhostUserHeaderFlags.Reply, true)]
    [InlineData(VhostUserBackendRequest.ShmemMap, 0u, true)]
    public void An_answer_to_nothing_ends_the_channel(VhostUserBackendRequest request, uint flags, bool isAsked)
    {
        Assert.True(!isAsked || TryAsk(1));
        Assert.True(!isAsked || _frontend.Receive(_message));
        _frontend.Send((uint)request, flags, 0UL);
        Assert.True(_failures.TryTake(out string? failure, Patience));
        Assert.Contains("was expected", failure, StringComparison.Ordinal);
        Assert.Equal(isAsked, _answers.TryTake(out (ulong Message, Errno Answer) told, isAsked ? Patience : TimeSpan.Zero));
        Assert.Equal(isAsked ? Errno.ENOTCONN : Errno.None, told.Answer);
    }

    private bool TryAsk(ulong number) => _channel.TryAsk(
        VhostUserBackendRequest.ShmemMap, new vhost_user_mmap { shm_offset = number }, -1, answer => _answers.Add((number, answer)));

    private void Answer(ulong result) =>
        _frontend.Send((uint)VhostUserBackendRequest.ShmemMap, VhostUserHeaderFlags.Reply, result);
}
