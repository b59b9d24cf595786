using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Writes one request of an operation; <paramref name="turn"/> counts the operations of all lanes.</summary>
internal delegate void WriteRequest(RequestSlot slot, int lane, int turn);

/// <summary>An operation of one request.</summary>
/// <param name="write">Writes it.</param>
/// <param name="permitted">The error that is a right answer.</param>
/// <param name="finish">Gives back what the preparation took.</param>
internal sealed class SingleRequestWorkload(WriteRequest write, Errno permitted = Errno.None, Action? finish = null) : IWorkload
{
    private int _turn;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return false;
        }

        write(slot, lane, _turn++ & int.MaxValue);
        return true;
    }

    public bool Permits(FuseOpcode opcode, Errno errno) => errno == permitted;

    public void Finish() => finish?.Invoke();
}
