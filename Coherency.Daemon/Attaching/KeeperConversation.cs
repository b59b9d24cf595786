using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Attaching;

/// <summary>One keeper and its guest: the guest is served until its VMM goes, or its keeper does.</summary>
internal static class KeeperConversation
{
    /// <summary>A guest that starts again may be here before the last of the one before has gone.</summary>
    private static readonly TimeSpan PredecessorPatience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RetryPeriod = TimeSpan.FromMilliseconds(20);

    /// <summary>Returns when the guest is served no more, or was refused. Blocks; on a thread of its own.</summary>
    /// <param name="tables">Of guests; null when they get none.</param>
    public static void Hold(AttachChannel channel, GuestServer server, ExpectedTables? tables)
    {
        ServedGuest? guest = null;
        try
        {
            guest = Begin(channel, server, tables);
            string table = guest.Table is null ? "" : ConfigurationFile.TablePathOf(guest.Wanted, guest.Configuration);
            channel.Send(new AttachNotice(AttachNoticeKind.Attached, table));
            channel.WaitForEnd();
        }
        catch (Exception refused) when (
            refused is AttachException or UsageException or ShareException or VersionTableException or IOException
            or UnauthorizedAccessException)
        {
            channel.Send(new AttachNotice(AttachNoticeKind.Refused, refused.Message));
        }
        finally
        {
            if (guest is not null)
            {
                server.Remove(guest, leavesTable: tables?.Find(guest.Name) is not null);
                // A keeper that hears nothing takes the server for gone, and looks for another.
                channel.Send(new AttachNotice(AttachNoticeKind.Ended, "the server has closed the guest's connection: its log says why"));
            }
        }
    }

    private static ServedGuest Begin(AttachChannel channel, GuestServer server, ExpectedTables? tables)
    {
        Span<int> fds = stackalloc int[SocketMessages.FdCountMax];
        int fdCount = 0;
        int control = -1;
        try
        {
            AttachRequest request = channel.ReceiveRequest(fds, out fdCount);
            if (fdCount != AttachRequest.FdCount)
            {
                throw new AttachException(
                    $"{fdCount} file descriptors came, {AttachRequest.FdCount} are right: the directory, the connection");
            }

            RequestedGuest asked = RequestedGuest.Read(request, fds[AttachRequest.DirectoryFd], tables);
            if (asked.Share.Writeback && tables is not null)
            {
                throw new UsageException(
                    "--writeback keeps what a guest wrote in that guest, where no version can tell the others of it: a daemon that " +
                    "serves others too cannot have it");
            }

            control = LinuxException.Check(Libc.Dup(fds[AttachRequest.ControlFd]), "dup");
            ServedGuest guest = Add(asked, server, control, channel);
            control = -1;
            return guest;
        }
        finally
        {
            foreach (int fd in fds[..fdCount])
            {
                _ = Libc.Close(fd);
            }

            _ = control < 0 ? 0 : Libc.Close(control);
        }
    }

    private static ServedGuest Add(RequestedGuest asked, GuestServer server, int control, AttachChannel channel)
    {
        long deadline = Environment.TickCount64 + (long)PredecessorPatience.TotalMilliseconds;
        while (server.Guests.Any(other => other.Name == asked.Guest.Name) && Environment.TickCount64 < deadline)
        {
            Thread.Sleep(RetryPeriod);
        }

        // By the endpoint's thread: what waits for the end wakes, and cleans up. The keeper learns of it when all is done.
        return server.Add(asked.Share, asked.Guest, asked.OffersConfiguration, control, channel.StopReceiving);
    }
}
