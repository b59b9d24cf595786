using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.VhostUser;

namespace Coherency.Guest.Fuse;

/// <summary>
/// A FUSE session over a started <see cref="VhostUserFrontend"/>: greets the daemon with INIT and spreads requests over the
/// request queues. Thread-safe.
/// </summary>
public sealed class FuseConnection : IDisposable
{
    private const uint MajorVersion = 7;
    private const int HighPrioritySlots = 256;

    private readonly RequestQueue[] _requestQueues;
    private bool _disposed;

    private FuseConnection(VhostUserFrontend frontend, FuseConnectionOptions options)
    {
        Options = options;
        QueueSettings settings = new(options.SlotsPerQueue, options.DataBytesMax, frontend.Options.StartIndex, frontend.SocketFd);
        HighPriorityQueue = new RequestQueue(
            frontend.Memory, frontend.Queues[0], frontend.Features, settings with { Slots = HighPrioritySlots, DataBytesMax = 0 });
        _requestQueues = [.. frontend.Queues.Skip(1).Select(ring => new RequestQueue(frontend.Memory, ring, frontend.Features, settings))];
        foreach (RequestQueue queue in _requestQueues)
        {
            queue.DefaultWait = options.Wait;
        }
    }

    public FuseConnectionOptions Options { get; }

    /// <summary>The daemon's answer to INIT.</summary>
    public fuse_init_out Protocol { get; private set; }

    /// <summary>Flags that both sides agreed on.</summary>
    public FuseInitFlags Flags { get; private set; }

    /// <summary>
    /// The daemon answers OPEN and OPENDIR with ENOSYS and takes handle 0 for the request's node, until the session ends: nothing is
    /// to be opened or released.
    /// </summary>
    public bool WithoutOpens { get; set; }

    /// <summary>Bytes that one WRITE may carry.</summary>
    public int WriteBytesMax => (int)Math.Min(Protocol.max_write, (uint)Options.DataBytesMax);

    /// <summary>Takes forgets.</summary>
    public RequestQueue HighPriorityQueue { get; }

    public IReadOnlyList<RequestQueue> RequestQueues => _requestQueues;

    /// <summary>Opens a session: sends INIT.</summary>
    /// <exception cref="FuseException">The daemon refused it.</exception>
    public static FuseConnection Open(VhostUserFrontend frontend, FuseConnectionOptions? options = null)
    {
        FuseConnection connection = new(frontend, options ?? new FuseConnectionOptions());
        connection.Initialize();
        return connection;
    }

    /// <summary>Like <see cref="Open"/> but without INIT, for tests of what a daemon does with requests before it.</summary>
    public static FuseConnection OpenWithoutInit(VhostUserFrontend frontend, FuseConnectionOptions? options = null) =>
        new(frontend, options ?? new FuseConnectionOptions());

    /// <summary>The queue of the calling thread: threads spread over all of them.</summary>
    public RequestQueue SelectQueue() => _requestQueues[Environment.CurrentManagedThreadId % _requestQueues.Length];

    /// <summary>Begins a request on the calling thread's queue.</summary>
    public Exchange Begin(FuseOpcode opcode, NodeId node, CallerIdentity caller)
    {
        RequestQueue queue = SelectQueue();
        RequestSlot slot = queue.Acquire();
        slot.Begin(opcode, node, caller);
        return new Exchange(queue, slot);
    }

    /// <summary>Sends INIT; <see cref="Open"/> does so.</summary>
    public void Initialize()
    {
        FuseInitFlags offered = Options.Flags;
        using Exchange exchange = Begin(FuseOpcode.Init, default, CallerIdentity.Root);
        exchange.Slot.Argument(new fuse_init_in
        {
            major = MajorVersion,
            minor = Options.MinorVersion,
            max_readahead = (uint)Options.DataBytesMax,
            flags = (uint)offered,
            flags2 = (uint)((ulong)offered >> 32),
        });
        Protocol = exchange.Call<fuse_init_out>();
        Flags = AnsweredFlags(Protocol) & offered;
        WithoutOpens = false;
    }

    private static FuseInitFlags AnsweredFlags(in fuse_init_out answer)
    {
        // flags2 means something only to a daemon that says so.
        bool extended = ((FuseInitFlags)answer.flags).HasFlag(FuseInitFlags.InitExt);
        return (FuseInitFlags)(answer.flags | (extended ? (ulong)answer.flags2 << 32 : 0));
    }

    /// <summary>Sends DESTROY, which ends the session on the daemon's side; errors are not of interest any more.</summary>
    public void Destroy()
    {
        using Exchange exchange = Begin(FuseOpcode.Destroy, default, CallerIdentity.Root);
        exchange.Slot.ExpectReply();
        _ = exchange.Send();
    }

    /// <summary>Ends the session, as an unmount in the guest does. The front end stays connected.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            Destroy();
        }
        catch (IOException)
        {
            // The daemon has gone before: there is nothing left to end.
        }
        catch (TimeoutException)
        {
            // It hangs; whoever disposes after it cannot help that either.
        }
    }
}

/// <summary>One request from its first byte to its reply; owns its slot until disposed.</summary>
public readonly ref struct Exchange(RequestQueue queue, RequestSlot slot)
{
    public RequestSlot Slot { get; } = slot;

    /// <summary>Sends the request, waits, and returns the reply's argument struct.</summary>
    /// <exception cref="FuseException">The reply is an error.</exception>
    public T Call<T>()
        where T : unmanaged
    {
        Slot.ExpectReply<T>();
        Check();
        return Slot.ReadReply<T>();
    }

    /// <summary>Sends the request and waits for a reply without arguments.</summary>
    /// <exception cref="FuseException">The reply is an error.</exception>
    public void Call()
    {
        Slot.ExpectReply();
        Check();
    }

    /// <summary>Sends the request and returns up to <paramref name="bytes"/> of reply data, valid until the exchange is disposed.</summary>
    /// <exception cref="FuseException">The reply is an error.</exception>
    public ReadOnlySpan<byte> CallForData(int bytes)
    {
        Slot.ExpectData(bytes);
        Check();
        return Slot.ReadData();
    }

    /// <summary>Sends a request whose room for the reply was made already; throws the reply's error.</summary>
    /// <exception cref="FuseException">The reply is an error.</exception>
    public void Check() => Check(queue.DefaultWait);

    /// <inheritdoc cref="Check()"/>
    public void Check(WaitPolicy policy)
    {
        Errno errno = Send(policy);
        if (errno != Errno.None)
        {
            throw new FuseException(Slot.Opcode, errno);
        }
    }

    /// <summary>Sends a request whose room for the reply was made already; returns the reply's error.</summary>
    public Errno Send() => Send(queue.DefaultWait);

    /// <inheritdoc cref="Send()"/>
    public Errno Send(WaitPolicy policy)
    {
        queue.Submit(Slot);
        queue.Wait(Slot, policy);
        return Slot.ReadError();
    }

    public void Dispose() => queue.Release(Slot);
}
