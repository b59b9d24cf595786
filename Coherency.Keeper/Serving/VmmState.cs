using System.Buffers.Binary;
using Coherency.Core.VhostUser;

namespace Coherency.Keeper.Serving;

/// <summary>
/// What a VMM has said that a server has to know, kept so that another server can be told when the one is gone. Of rings only what was
/// said since: what a guest had asked the one that is gone, the next cannot know. So a guest's driver is served again from when it
/// starts anew, which shows in a ring that begins at 0.
/// </summary>
internal sealed class VmmState : IDisposable
{
    /// <summary>
    /// Told to a VMM that stops a ring while nobody knows where it is: if it goes on without a new driver, it says so again.
    /// </summary>
    private const uint UnknownBase = 0xFFFF;

    private readonly List<KeptMessage> _kept = [];

    /// <summary>What servers have answered, by the request and what it asked for.</summary>
    private readonly Dictionary<(uint Request, string Asked), byte[]> _answers = [];

    /// <summary>Rings of drivers that began since the last server was gone; of others nothing is passed on.</summary>
    private readonly HashSet<byte> _live = [];
    private bool _isFirstServer = true;

    /// <summary>Of the request that the VMM waits for an answer to; null when it does not.</summary>
    private KeptMessage? _owed;

    /// <summary>Keeps what counts of a message of the VMM.</summary>
    /// <param name="passOn">Is given what has to be passed on before it.</param>
    /// <param name="isPassed">It is to be passed on to a server.</param>
    public KeptMessage Take(VhostUserMessage message, Action<KeptMessage> passOn, out bool isPassed)
    {
        KeptMessage said = new(message);
        isPassed = true;
        if (RingOf(said) is not { } ring)
        {
            Keep(said);
            return said;
        }

        bool begins = said.Request == VhostUserRequest.SetVringBase && said.Word1 == 0;
        bool wasLive = _isFirstServer || _live.Contains(ring);
        if (said.Request != VhostUserRequest.GetVringBase)
        {
            Keep(said);
        }
        else
        {
            Forget(other => RingOf(other) == ring && !IsForAnyDriver(other));
        }

        if (!wasLive && begins)
        {
            _live.Add(ring);
            foreach (KeptMessage earlier in _kept.Where(other => RingOf(other) == ring && other != said))
            {
                passOn(earlier);
            }
        }

        isPassed = wasLive || begins || IsForAnyDriver(said);
        return said;
    }

    /// <summary>A message goes to a server, which may have to answer it.</summary>
    public void Expect(KeptMessage said)
    {
        if (said.NeedsReply || IsQuestion(said.Request))
        {
            _owed = said;
        }
    }

    /// <summary>Keeps what a server has answered.</summary>
    public void TakeAnswer(VhostUserMessage message)
    {
        if (_owed is { } owed && owed.Raw == message.RawRequest)
        {
            _answers[(owed.Raw, owed.Asked)] = message.Payload.ToArray();
            _owed = null;
        }
    }

    /// <summary>The server is gone: from here on drivers have to begin anew.</summary>
    /// <returns>What the VMM waits for an answer to; null when nothing.</returns>
    public KeptMessage? LoseServer()
    {
        _isFirstServer = false;
        _live.Clear();
        Forget(other => other.Request == VhostUserRequest.SetStatus || (RingOf(other) is not null && !IsForAnyDriver(other)));
        (KeptMessage? owed, _owed) = (_owed, null);
        return owed;
    }

    /// <summary>Tells a new server all of it.</summary>
    /// <exception cref="VhostUserException">It is gone again.</exception>
    public void Replay(VhostUserConnection server)
    {
        foreach (KeptMessage message in _kept.Where(one => RingOf(one) is not { } ring || _live.Contains(ring) || IsForAnyDriver(one)))
        {
            message.SendTo(server);
        }
    }

    /// <summary>What the VMM gets instead of a server's answer; false when nobody can say.</summary>
    /// <param name="answer">Null when it waits for none.</param>
    private bool TryAnswer(KeptMessage asked, out byte[]? answer)
    {
        answer = null;
        switch (asked.Request)
        {
            case VhostUserRequest.GetVringBase:
                answer = new byte[sizeof(ulong)];
                BinaryPrimitives.WriteUInt32LittleEndian(answer, asked.Word0);
                BinaryPrimitives.WriteUInt32LittleEndian(answer.AsSpan(sizeof(uint)), UnknownBase);
                return true;
            case VhostUserRequest.GetFeatures or VhostUserRequest.GetProtocolFeatures or VhostUserRequest.GetQueueNum
                or VhostUserRequest.GetConfig or VhostUserRequest.GetMaxMemSlots or VhostUserRequest.GetStatus
                or VhostUserRequest.GetShmemConfig:
                return _answers.TryGetValue((asked.Raw, asked.Asked), out answer);
            default:
                answer = asked.NeedsReply ? new byte[sizeof(ulong)] : null;
                return true;
        }
    }

    /// <summary>Answers a VMM in a server's place, if it waits for an answer.</summary>
    /// <returns>False when nobody can say what the answer is.</returns>
    /// <exception cref="VhostUserException">The VMM is gone.</exception>
    public bool TryReply(VhostUserConnection vmm, KeptMessage asked)
    {
        if (!TryAnswer(asked, out byte[]? answer))
        {
            return false;
        }

        if (answer is not null)
        {
            vmm.Send(asked.Raw, VhostUserHeaderFlags.Reply, answer);
        }

        return true;
    }

    public void Dispose() => Forget(static _ => true);

    private void Keep(KeptMessage said)
    {
        switch (said.Request)
        {
            case VhostUserRequest.SetMemTable:
                Forget(static other => other.Request is VhostUserRequest.SetMemTable or VhostUserRequest.AddMemReg
                    or VhostUserRequest.RemMemReg);
                break;
            case VhostUserRequest.AddMemReg:
                break;
            case VhostUserRequest.RemMemReg:
                int before = _kept.Count;
                Forget(other => other.Request == VhostUserRequest.AddMemReg && other.IsOfSameRegion(said));
                if (_kept.Count < before)
                {
                    return;
                }

                break;
            case VhostUserRequest.SetFeatures or VhostUserRequest.SetProtocolFeatures or VhostUserRequest.SetOwner
                or VhostUserRequest.SetBackendReqFd or VhostUserRequest.SetStatus:
                Forget(other => other.Raw == said.Raw);
                break;
            case VhostUserRequest.ResetDevice or VhostUserRequest.ResetOwner:
                Forget(static other => RingOf(other) is not null);
                return;
            default:
                if (RingOf(said) is not { } ring)
                {
                    return;
                }

                Forget(other => other.Raw == said.Raw && RingOf(other) == ring);
                break;
        }

        said.KeepFds();
        _kept.Add(said);
    }

    private void Forget(Predicate<KeptMessage> which)
    {
        foreach (KeptMessage gone in _kept.FindAll(which))
        {
            gone.Dispose();
        }

        _kept.RemoveAll(which);
    }

    /// <summary>Where a call goes is a matter of the VMM, which may say it once for all drivers.</summary>
    private static bool IsForAnyDriver(KeptMessage said) =>
        said.Request is VhostUserRequest.SetVringCall or VhostUserRequest.SetVringErr;

    private static bool IsQuestion(VhostUserRequest request) => request is VhostUserRequest.GetVringBase or VhostUserRequest.GetFeatures
        or VhostUserRequest.GetProtocolFeatures or VhostUserRequest.GetQueueNum or VhostUserRequest.GetConfig
        or VhostUserRequest.GetMaxMemSlots or VhostUserRequest.GetStatus or VhostUserRequest.GetShmemConfig;

    /// <summary>The ring that a message is about; null when it is about none.</summary>
    private static byte? RingOf(KeptMessage said) => said.Request is VhostUserRequest.SetVringNum or VhostUserRequest.SetVringAddr
        or VhostUserRequest.SetVringBase or VhostUserRequest.GetVringBase or VhostUserRequest.SetVringKick or VhostUserRequest.SetVringCall
        or VhostUserRequest.SetVringErr or VhostUserRequest.SetVringEnable
        ? (byte)said.Word0
        : null;
}
