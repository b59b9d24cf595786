namespace Coherency.Host.Coherence.Events;

/// <summary>What became of the events of one client, since it subscribed or since the start.</summary>
public record struct EventCounts
{
    /// <summary>Events that were for it.</summary>
    public long Queued { get; set; }

    /// <summary>Of these, those that are a part of another that had not been sent.</summary>
    public long Merged { get; set; }

    /// <summary>Messages that it was sent.</summary>
    public long Sent { get; set; }

    /// <summary>Events for which there was no room: it is told that something in a directory, or anything, has changed.</summary>
    public long Lost { get; set; }

    /// <summary>How often a directory or an inode became one of which nothing more than that is told.</summary>
    public long Collapsed { get; set; }

    /// <summary>How often it has to be told that anything may have changed.</summary>
    public long LostAll { get; set; }

    /// <summary>Messages that wait to be sent.</summary>
    public long Pending { get; set; }

    public static EventCounts operator +(in EventCounts a, in EventCounts b) => new()
    {
        Queued = a.Queued + b.Queued,
        Merged = a.Merged + b.Merged,
        Sent = a.Sent + b.Sent,
        Lost = a.Lost + b.Lost,
        Collapsed = a.Collapsed + b.Collapsed,
        LostAll = a.LostAll + b.LostAll,
        Pending = a.Pending + b.Pending,
    };
}
