using Coherency.Core.VhostUser;

namespace Coherency.Guest.VhostUser;

public sealed unsafe partial class VhostUserFrontend
{
    /// <summary>Sends a request without payload and returns its reply.</summary>
    public TReply Ask<TReply>(VhostUserRequest request)
        where TReply : unmanaged => Ask<TReply>(request, []);

    /// <summary>Sends a request and returns its reply.</summary>
    public TReply Ask<TPayload, TReply>(VhostUserRequest request, in TPayload payload)
        where TPayload : unmanaged
        where TReply : unmanaged => Ask<TReply>(request, BytesOf(payload));

    /// <summary>Sends a request without payload that has no reply of its own.</summary>
    public void Tell(VhostUserRequest request) => Tell(request, [], []);

    /// <summary>Sends a request that has no reply of its own.</summary>
    public void Tell<TPayload>(VhostUserRequest request, in TPayload payload)
        where TPayload : unmanaged => Tell(request, BytesOf(payload), []);

    /// <summary>Sends a request that has no reply of its own; asks for an acknowledgement where REPLY_ACK is agreed.</summary>
    /// <exception cref="VhostUserException">The daemon answered that it failed, or broke the protocol.</exception>
    public void Tell(VhostUserRequest request, ReadOnlySpan<byte> payload, ReadOnlySpan<int> fds)
    {
        bool acknowledged = ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.ReplyAck);
        lock (_exchange)
        {
            Connection.Send((uint)request, acknowledged ? VhostUserHeaderFlags.NeedReply : 0, payload, fds);
            if (!acknowledged)
            {
                return;
            }

            ReceiveReply(request);
            ulong status = _reply.ReadBody<ulong>();
            if (status != 0)
            {
                throw new VhostUserException($"the daemon refused {request} with status {status}");
            }
        }
    }

    private TReply Ask<TReply>(VhostUserRequest request, ReadOnlySpan<byte> payload)
        where TReply : unmanaged
    {
        lock (_exchange)
        {
            Connection.Send((uint)request, 0, payload);
            ReceiveReply(request);
            return _reply.ReadBody<TReply>();
        }
    }

    private void ReceiveReply(VhostUserRequest request)
    {
        if (!Connection.Receive(_reply))
        {
            throw new VhostUserException($"the daemon closed the connection instead of answering {request}");
        }

        if (!_reply.IsReply || _reply.RawRequest != (uint)request)
        {
            throw new VhostUserException($"the daemon answered {request} with message {_reply.RawRequest}");
        }
    }
}
