using System.Collections.Concurrent;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>The way of requests through /dev/fuse. Any number of threads receive and complete.</summary>
internal sealed unsafe partial class FuseDeviceChannel(int fd, ILogger log) : FuseChannel
{
    private readonly ConcurrentBag<FuseDeviceRequest> _free = [];

    /// <summary>Waits for the next request; null when the file system was unmounted.</summary>
    public FuseRequest? Receive()
    {
        if (!_free.TryTake(out FuseDeviceRequest? request))
        {
            request = new FuseDeviceRequest(this);
        }

        long bytes;
        do
        {
            // ENOENT: the request was interrupted before it could be read.
            // SAFETY: Message has MessageBytesMax, and the request is this thread's alone.
            bytes = Libc.Read(fd, request.Message, FuseLimits.MessageBytesMax);
        }
        while (bytes.ToErrno() is Errno.EINTR or Errno.EAGAIN or Errno.ENOENT);

        if (bytes < 0)
        {
            return null;
        }

        request.Begin((int)bytes);
        return request;
    }

    public override void Complete(FuseRequest request, int bytes)
    {
        FuseDeviceRequest own = (FuseDeviceRequest)request;
        if (bytes > 0)
        {
            // ENOENT: the client has given the request up meanwhile; ENODEV: the mount is gone.
            // SAFETY: bytes were found to fit into ReplyMessage (FuseRequest.TryWriteHeader), which is the request's
            // until it is free.
            Errno error = Libc.Write(fd, own.ReplyMessage, (nuint)bytes).ToErrno();
            if (error is not (Errno.None or Errno.ENOENT or Errno.ENODEV))
            {
                LogReplyRefused(log, request.Opcode, error);
            }
        }

        _free.Add(own);
    }

    /// <summary>Sends a message that answers no request.</summary>
    /// <returns>ENOENT when the kernel does not know the inode, ENODEV when the mount is gone, EINVAL for an unknown code.</returns>
    public Errno Notify(FuseNotifyCode code, ReadOnlySpan<byte> body)
    {
        int bytes = sizeof(fuse_out_header) + body.Length;
        // SAFETY: room for the header and the body, at most one of the small structs of fuse.h (MountView). The stack
        // is aligned for the header.
        byte* message = stackalloc byte[bytes];
        *(fuse_out_header*)message = new fuse_out_header { len = (uint)bytes, error = (int)code };
        body.CopyTo(new Span<byte>(message + sizeof(fuse_out_header), body.Length));
        return Libc.Write(fd, message, (nuint)bytes).ToErrno();
    }

    /// <summary>Nothing to do: a request's buffers are its own.</summary>
    public override void Park(FuseRequest request)
    {
    }

    public override void ReportNoRoom(FuseRequest request, long bodyBytes) =>
        LogNoRoom(log, request.Opcode, bodyBytes, request.ReplyCapacity);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The kernel refused the reply to {Opcode}: {Error}")]
    private static partial void LogReplyRefused(ILogger log, FuseOpcode opcode, Errno error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reply to {Opcode} has {Bytes} bytes, more than {Room}")]
    private static partial void LogNoRoom(ILogger log, FuseOpcode opcode, long bytes, long room);
}
